import { once } from 'node:events';
import { afterEach, describe, expect, test } from 'vitest';
import { failed } from '../../../src/bridge/closing.ts';
import { systemClock } from '../../../src/bridge/poll/backoff.ts';
import { GatewayError } from '../../../src/errors.ts';
import type { AdmittedRequest } from '../../../src/upstream/forward.ts';
import { dropAtRandom, LINGER, NUMBERS, numbers, Returner, sinceIn, upTo } from '../../support/lingering.ts';
import { closeOf, fixtures, type Harness, type TestService, until } from '../../support/poll.ts';

/** A client that is lost comes back, and goes on with the same session at the service. */

const { service, harness, undo } = fixtures();
afterEach(undo);

/** Time as it is, without chance. */
const eager = { ...systemClock, random: () => 0 };

/** Paths of all requests but polls. */
function pathsOf({ requests }: TestService): string[] {
  return requests.filter((request) => sinceIn(request) === undefined).map(({ url }) => url);
}

function namesOf({ requests }: TestService): Set<unknown> {
  return new Set(requests.map(({ headers }) => headers['x-connection-id']));
}

/** Resolves when the connection of the `index`th client has ended. */
async function lost(gateway: Harness, client: Returner): Promise<void> {
  const before = gateway.endings.length;
  client.vanish();
  await gateway.endings[before - 1];
}

describe('a client that comes back', () => {
  test('goes on with the same session, of which the service notices nothing', async () => {
    const backend = await service((request, response) => {
      if (request.url.startsWith('/open')) response.setHeader('set-cookie', 'at=home').end('{"id":"s1"}');
      else void numbers(2)(request, response);
    });
    const open = { path: '/open', session: 'json:/id' };
    const gateway = await harness({ target: backend.url, ...NUMBERS, open, linger: LINGER });
    const client = new Returner(gateway);
    await client.come('');
    expect(await client.atLeast(2)).toEqual(upTo(2));
    await lost(gateway, client);
    (await client.come('')).send('hello');
    await until(() => pathsOf(backend).includes('/send'));
    expect(pathsOf(backend)).toEqual(['/open?a=1', '/send']);
    expect(backend.requests.at(-1)?.headers.cookie).toBe('at=home');
    expect(namesOf(backend).size).toBe(1);
    client.client.close(1000);
    await until(() => pathsOf(backend).includes('/leave?code=1000'));
    expect(client.texts).toEqual(upTo(2));
  });

  test('never has its token told to the service', async () => {
    const backend = await service(numbers(1));
    const gateway = await harness({
      target: backend.url,
      ...NUMBERS,
      open: { path: '/open' },
      linger: { ...LINGER, token: 'subprotocol:resume.' },
      headers: { pass: ['sec-websocket-protocol'], add: { 'x-query': '{query}' } },
    });
    const token = `resume.${'x'.repeat(22)}`;
    const client = await gateway.connect({ protocols: ['chat', token] });
    expect(client.protocol).toBe('chat');
    await until(() => backend.requests.length === 2);
    client.terminate();
    await gateway.endings[0];
    expect((await gateway.connect({ protocols: ['chat', `${token}.1`] })).protocol).toBe('chat');
    expect(pathsOf(backend)).toEqual(['/open']);
    expect(JSON.stringify(backend.requests)).not.toContain('xxxxx');
  });

  test('without a token begins a session of its own, which ends with it', async () => {
    const backend = await service(numbers(0));
    const gateway = await harness({ target: backend.url, ...NUMBERS, linger: LINGER });
    (await gateway.connect()).terminate();
    await until(() => pathsOf(backend).includes('/leave?code=1006'));
  });

  test.each(['short', `${'x'.repeat(21)}`, `${'x'.repeat(22)}.`, `${'x'.repeat(22)}!`, 'x'.repeat(129)])(
    'with the token %s is refused',
    async (token) => {
      const backend = await service(numbers(0));
      const gateway = await harness({ target: backend.url, ...NUMBERS, linger: LINGER });
      await expect(gateway.connect({ path: `/rooms/blue?resume=${token}` })).rejects.toThrow('400');
      expect(backend.requests).toEqual([]);
    },
  );

  test('to a session that is over, though it has received messages of it, is refused', async () => {
    const backend = await service(numbers(1));
    const gateway = await harness({ target: backend.url, ...NUMBERS, linger: LINGER });
    const path = `/rooms/blue?resume=${'x'.repeat(22)}`;
    await expect(gateway.connect({ path: `${path}.1` })).rejects.toThrow('410');
    await gateway.connect({ path: `${path}.0` });
    await expect(gateway.connect({ path: `${path}.7` })).rejects.toThrow('410');
    expect(namesOf(backend).size).toBe(1);
  });

  test('is another one if its subject is another, or its issuer', async () => {
    const backend = await service(numbers(1));
    const request: { grant?: AdmittedRequest['grant'] } = {};
    const gateway = await harness({ target: backend.url, ...NUMBERS, linger: LINGER }, { request });
    const client = new Returner(gateway);
    const grants = [{ subject: 'ann' }, { subject: 'bob' }, { subject: 'ann', issuer: 'other' }];
    for (const grant of grants) {
      request.grant = { ...grant, claims: {}, releases: [] };
      await client.come('');
    }
    await until(() => namesOf(backend).size === 3);
    request.grant = { subject: 'bob', claims: {}, releases: [] };
    await client.come('');
    expect(gateway.endings.length).toBe(4);
    expect(await gateway.endings[1]).toMatchObject({ code: 4409 });
  });
});

describe('a client that closes', () => {
  test('is done, also with 1001', async () => {
    const backend = await service(numbers(0));
    const gateway = await harness({ target: backend.url, ...NUMBERS, linger: LINGER });
    const client = new Returner(gateway);
    (await client.come()).close(1001);
    await until(() => pathsOf(backend).includes('/leave?code=1001'));
    expect((await gateway.endings[0])?.lingers).toBeUndefined();
  });
});

describe('a second client with the same token', () => {
  test('takes over, and the first is closed with 4409', async () => {
    const backend = await service(numbers(3));
    const gateway = await harness({ target: backend.url, ...NUMBERS, linger: LINGER });
    const client = new Returner(gateway);
    const first = await client.come();
    await client.atLeast(3);
    const closed = closeOf(first);
    await client.come();
    expect(await closed).toMatchObject({ code: 4409 });
    client.client.send('hello');
    await until(() => pathsOf(backend).includes('/send'));
    expect([client.texts, namesOf(backend).size]).toEqual([upTo(3), 1]);
    expect((await gateway.endings[0])?.lingers).toBeUndefined();
  });
});

test.each([1, 2, 3])(
  'nothing is lost and nothing doubled over connections that end at random, seed %i',
  async (seed) => {
    const { texts, names } = await dropAtRandom({ service, harness }, 50, seed);
    expect([texts, names]).toEqual([upTo(texts.length), 1]);
  },
);

test('a session that nobody comes back to ends in time, and the service is told', async () => {
  const backend = await service(numbers(1));
  const gateway = await harness({ target: backend.url, ...NUMBERS, linger: { ...LINGER, for: '50ms' } });
  const client = new Returner(gateway);
  await client.come();
  await client.atLeast(1);
  client.vanish();
  await until(() => pathsOf(backend).includes('/leave?code=1006'));
  const again = client.begin();
  const [error] = (await once(again, 'error')) as [Error];
  expect(error.message).toContain('410');
});

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
