import { afterEach, describe, expect, test } from 'vitest';
import { failed } from '../../../src/bridge/closing.ts';
import { systemClock } from '../../../src/bridge/poll/backoff.ts';
import { GatewayError } from '../../../src/errors.ts';
import {
  LINGER,
  lost,
  NUMBERS,
  namesOf,
  numbers,
  pathsOf,
  Returner,
  sinceIn,
  upTo,
} from '../../support/lingering.ts';
import { closeOf, fixtures, until } from '../../support/poll.ts';

/** What a session does while its client is away, and who may be away. */

const { service, harness, undo } = fixtures();
afterEach(undo);

/** Time as it is, without chance. */
const eager = { ...systemClock, random: () => 0 };

describe('while the client is away', () => {
  const SHORT = { ...NUMBERS, queueSize: '4KiB' };
  const padded = (since: number) =>
    JSON.stringify({ next: since + 1, events: [`${since + 1} `.padEnd(1_000)] });

  test('the service is polled until queueSize is full, and all of it waits', async () => {
    const backend = await service((request, response) => {
      const since = sinceIn(request);
      if (since !== undefined && since < 50) response.end(padded(since));
    });
    const gateway = await harness({ target: backend.url, ...SHORT, linger: LINGER }, { clock: eager });
    const client = new Returner(gateway);
    client.begin();
    client.client.once('message', () => client.vanish());
    await until(() => gateway.endings.length === 1);
    await gateway.endings[0];
    const had = client.texts.length;
    let polls = -1;
    while (polls !== backend.requests.length) {
      polls = backend.requests.length;
      await new Promise((resolve) => setTimeout(resolve, 30));
    }
    expect(polls).toBeLessThanOrEqual(had + 12);
    await client.come();
    await client.atLeast(50);
    expect(client.texts.map(Number)).toEqual(upTo(50).map(Number));
  });

  test('a message is sent to its end, and the reply waits', async () => {
    const replies: (() => void)[] = [];
    const backend = await service((_request, response) => void replies.push(() => response.end('reply')));
    const send = { path: '/send', response: 'message' };
    const gateway = await harness({ target: backend.url, send, linger: LINGER });
    const client = new Returner(gateway);
    for (const text of ['a', 'b']) (await client.come()).send(text);
    await until(() => replies.length === 1);
    await lost(gateway, client);
    replies[0]?.();
    await until(() => replies.length === 2);
    replies[1]?.();
    await client.come();
    expect(await client.atLeast(2)).toEqual(['reply', 'reply']);
    expect(backend.requests.map(({ body }) => String(body))).toEqual(['a', 'b']);
  });

  test('a Close of the service waits, too, behind its last messages', async () => {
    const answers = ['o\n', 'a["first"]\n', 'a["last"]\n', 'c[3000,"Go away!"]\n'];
    const polls: (() => void)[] = [];
    const backend = await service(
      (_request, response) => void polls.push(() => response.end(answers.shift())),
    );
    const gateway = await harness({ profile: 'sockjs', target: backend.url, path: '/echo', linger: LINGER });
    const client = new Returner(gateway, '/echo/websocket');
    client.begin();
    for (const poll of [0, 1]) {
      await until(() => polls.length > poll);
      polls[poll]?.();
    }
    await client.atLeast(1);
    await until(() => polls.length === 3);
    await lost(gateway, client);
    polls[2]?.();
    await until(() => polls.length === 4);
    polls[3]?.();
    const closed = closeOf(client.begin());
    expect(await closed).toEqual({ code: 3000, reason: 'Go away!' });
    expect(client.texts).toEqual(['first', 'last']);
    await expect(client.come()).rejects.toThrow('410');
  });

  test('what is pushed is kept, and a Close by name ends it', async () => {
    const backend = await service(numbers(0));
    const gateway = await harness({ target: backend.url, ...NUMBERS, linger: LINGER });
    const client = new Returner(gateway);
    await client.come();
    await lost(gateway, client);
    const link = gateway.sessions[0]?.link;
    expect(await link?.push?.({ data: 'pushed', binary: false })).toBe(true);
    await client.come();
    expect(await client.atLeast(1)).toEqual(['pushed']);
    await lost(gateway, client);
    // The first connection speaks for it no more.
    link?.close({ code: 4000, reason: '', by: 'gateway', clean: true });
    expect(pathsOf(backend)).toEqual([]);
    gateway.sessions[1]?.link?.close({ code: 4001, reason: '', by: 'gateway', clean: true });
    await until(() => pathsOf(backend).includes('/leave?code=4001'));
  });

  test('so many sessions wait and no more', async () => {
    const backend = await service(numbers(0));
    const gateway = await harness({ target: backend.url, ...NUMBERS, linger: { ...LINGER, max: 2 } });
    const clients = [1, 2, 3].map(() => new Returner(gateway));
    for (const client of clients) {
      await client.come();
      await lost(gateway, client);
    }
    await until(() => pathsOf(backend).length === 1);
    expect(pathsOf(backend)).toEqual(['/leave?code=1006']);
    await clients[0]?.come();
    await clients[2]?.come();
    await lost(gateway, clients[2] as Returner);
    await clients[2]?.come();
    expect(pathsOf(backend).length).toBe(1);
  });
});

describe('a client that is given up', () => {
  test.each(['PEER_SILENT', 'PEER_STALLED'] as const)('for %s may come back', async (code) => {
    const backend = await service(numbers(1));
    const gateway = await harness({ target: backend.url, ...NUMBERS, linger: LINGER });
    const client = new Returner(gateway);
    await client.come();
    gateway.sessions[0]?.link?.close(failed(new GatewayError(code)), 'client');
    await gateway.endings[0];
    await client.come();
    await client.atLeast(1);
    expect([namesOf(backend).size, pathsOf(backend)]).toEqual([1, []]);
  });

  test.each(['IDLE', 'TOKEN_EXPIRED', 'LIFETIME', 'PROTOCOL_ERROR'] as const)(
    'for %s may not',
    async (code) => {
      const backend = await service(numbers(1));
      const gateway = await harness({ target: backend.url, ...NUMBERS, linger: LINGER });
      await new Returner(gateway).come();
      gateway.sessions[0]?.link?.close(failed(new GatewayError(code)));
      await until(() => pathsOf(backend).length === 1);
      expect((await gateway.endings[0])?.lingers).toBeUndefined();
    },
  );
});

test('with `ack: pong` a client that does not say what it has gets again what it has not confirmed', async () => {
  const backend = await service(numbers(2));
  const gateway = await harness({ target: backend.url, ...NUMBERS, ack: 'pong', linger: LINGER });
  const client = new Returner(gateway);
  // Answers no pings.
  const first = client.begin('');
  first.pong = () => {};
  await client.atLeast(1);
  await lost(gateway, client);
  expect(backend.requests.map(({ url }) => url)).toEqual(['/feed?since=0']);
  await client.come('');
  expect(await client.atLeast(3)).toEqual(['1', '1', '2']);
  expect(backend.requests[1]?.url).toBe('/feed?since=1');
});

test('a service that is slow to take messages holds back whoever comes back, too', async () => {
  const sends: (() => void)[] = [];
  const backend = await service((_request, response) => void sends.push(() => response.end()));
  const send = { path: '/send' };
  const gateway = await harness({ target: backend.url, send, queueSize: '1536B', linger: LINGER });
  const client = new Returner(gateway);
  const all = Array.from({ length: 20 }, (_, number) => `${number} `.padEnd(200));
  const first = await client.come();
  for (const text of all.slice(0, 5)) first.send(text);
  await until(() => gateway.sessions[0]?.up.messages === 5);
  // One that is held back is not read from, and its end not noticed.
  client.vanish();
  const second = await client.come();
  for (const text of all.slice(5)) second.send(text);
  for (let taken = 0; taken < 20; taken++) {
    await until(() => sends.length > taken);
    // What waits is bounded, whoever has sent it.
    expect(gateway.sessions[1]?.up.messages).toBeLessThanOrEqual(taken + 2);
    sends[taken]?.();
  }
  expect(backend.requests.map(({ body }) => String(body))).toEqual(all);
});

describe('what the service has not accepted', () => {
  const send = { path: '/send' };

  test('is counted with the last of its clients', async () => {
    const backend = await service(() => {});
    const session = { closeMs: 100 };
    const gateway = await harness({ target: backend.url, send, linger: LINGER }, { session });
    const client = new Returner(gateway);
    (await client.come()).send('a');
    await until(() => backend.requests.length === 1);
    await lost(gateway, client);
    (await client.come()).send('b');
    client.client.close(1000);
    await gateway.endings[1];
    expect(gateway.sessions.map(({ undelivered }) => undelivered)).toEqual([undefined, 2]);
  });

  test('is what comes from a client that another has followed', async () => {
    const backend = await service((_request, response) => void response.end());
    const gateway = await harness({ target: backend.url, send, linger: LINGER });
    const client = new Returner(gateway);
    const first = await client.come();
    // It does not learn of its end.
    first.pause();
    await client.come();
    first.send('late');
    await until(() => gateway.sessions[0]?.undelivered === 1);
    client.client.send('in time');
    await until(() => backend.requests.length === 1);
    expect(backend.requests.map(({ body }) => String(body))).toEqual(['in time']);
  });
});
