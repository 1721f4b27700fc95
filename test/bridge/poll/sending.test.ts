import { once } from 'node:events';
import { setImmediate, setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import type { Clock } from '../../../src/bridge/poll/backoff.ts';
import { GatewayError } from '../../../src/errors.ts';
import { closeOf, fixtures, rawClient, type TestService, until } from '../../support/poll.ts';

const { service, harness, undo } = fixtures();
afterEach(undo);

const clock: Clock = {
  now: () => performance.now(),
  random: () => 1,
  sleep: (_, signal) => sleep(1, undefined, { signal }),
};

/** A route that listens to a poll which is held, and sends. */
function sendingTo({ url }: TestService, send: object = {}, rest: object = {}) {
  return { target: url, poll: { path: '/poll' }, send: { path: '/send', ...send }, ...rest };
}

function sentTo({ requests }: TestService): string[] {
  return requests.filter(({ url }) => url === '/send').map(({ body }) => String(body));
}

describe('messages', () => {
  test('arrive one at a time and in order, however long each takes', async () => {
    let open = 0;
    let most = 0;
    const backend = await service(async (request, response) => {
      if (request.url === '/poll') return;
      most = Math.max(most, ++open);
      await sleep(Number(request.body) % 3);
      open--;
      response.end();
    });
    const gateway = await harness(sendingTo(backend));
    const client = await gateway.connect();
    const expected = Array.from({ length: 60 }, (_, index) => String(index));
    for (const text of expected) client.send(text);
    await until(() => sentTo(backend).length === 60);
    expect(sentTo(backend)).toEqual(expected);
    expect(most).toBe(1);
  });

  test('may be empty', async () => {
    const backend = await service((request, response) => void (request.url === '/send' && response.end()));
    const gateway = await harness(sendingTo(backend));
    const client = await gateway.connect();
    client.send('');
    client.send('x');
    await until(() => sentTo(backend).length === 2);
    expect(sentTo(backend)).toEqual(['', 'x']);
  });

  test('wait for a service that cannot be reached', async () => {
    const backend = await service((request, response) => void (request.url === '/send' && response.end()));
    await backend.stop();
    const gateway = await harness(sendingTo(backend), { clock });
    const client = await gateway.connect();
    client.send('a');
    client.send('b');
    await until(() => gateway.sessions[0]?.up.messages === 2);
    await backend.start();
    await until(() => sentTo(backend).length === 2);
    expect(sentTo(backend)).toEqual(['a', 'b']);
  });

  test('to a service that stays out of reach end with 1013', async () => {
    const backend = await service(() => {});
    await backend.stop();
    const gateway = await harness(sendingTo(backend, {}, { outage: '50ms' }), { clock });
    const client = await gateway.connect();
    client.send('a');
    expect((await closeOf(client)).code).toBe(1013);
  });

  test.each([429, 503])('refused with %i and Retry-After are sent again', async (status) => {
    const backend = await service((request, response) => {
      if (request.url === '/poll') return;
      const refused = sentTo(backend).length === 1;
      response.writeHead(refused ? status : 200, refused ? { 'retry-after': '1' } : {}).end();
    });
    const gateway = await harness(sendingTo(backend), { clock });
    const client = await gateway.connect();
    client.send('a');
    client.send('b');
    await until(() => sentTo(backend).length === 3);
    expect(sentTo(backend)).toEqual(['a', 'a', 'b']);
  });

  test.each([
    [401, 3000],
    [403, 3003],
    [404, 1014],
    [413, 1009],
    [415, 1003],
    [422, 1014],
  ])('refused for good with %i close the client with %i', async (status, code) => {
    const backend = await service((request, response) => {
      if (request.url === '/send') response.writeHead(status).end();
    });
    const gateway = await harness(sendingTo(backend));
    const client = await gateway.connect();
    client.send('a');
    client.send('b');
    expect(await closeOf(client)).toEqual({ code, reason: `The service answered ${status} to a message.` });
    expect(await gateway.endings[0]).toMatchObject({ code, by: 'upstream' });
    expect(sentTo(backend)).toEqual(['a']);
  });

  test('close a client with 1003 where it may only listen', async () => {
    const backend = await service(() => {});
    const gateway = await harness({ target: backend.url, poll: { path: '/poll' } });
    const client = await gateway.connect();
    client.send('a');
    const reason = 'Messages are not accepted here: clients may only listen.';
    expect(await closeOf(client)).toEqual({ code: 1003, reason });
  });

  test.each([
    [302, 'the upstream answered 302 to a message: no redirect is followed'],
    [404, 'the upstream answered 404 to a message: see its `path`, and that of `target`'],
    [405, 'the upstream answered 405 to a message: see its `method`'],
    [409, 'the upstream answered 409 to a message'],
  ])('say in the log what a %i was the answer to, and what to look at', async (status, detail) => {
    const backend = await service((request, response) => {
      if (request.url === '/send') response.writeHead(status).end();
    });
    const gateway = await harness(sendingTo(backend));
    (await gateway.connect()).send('a');
    expect(await gateway.endings[0]).toMatchObject({ error: { code: 'SERVICE_REFUSED', detail } });
  });
});

test('a reply that is a stream without an end is told as one', async () => {
  const backend = await service((request, response) => {
    if (request.url === '/send')
      response.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: 1\n\n');
  });
  const sending = sendingTo(backend, { timeout: '500ms', response: 'message' });
  const gateway = await harness(sending);
  (await gateway.connect()).send('a');
  const detail = expect.stringContaining('`response: sse` takes it');
  expect(await gateway.endings[0]).toMatchObject({ error: { code: 'UPSTREAM_INVALID', detail } });
});

describe('a message whose fate is unknown', () => {
  const ERRORS = { cut: 'UPSTREAM_LOST', 502: 'SERVICE_REFUSED', silence: 'UPSTREAM_TIMEOUT' } as const;
  /** Cuts the connection, or fails, after the first message has arrived. */
  function failing(how: 'cut' | 502 | 'silence') {
    return service((request, response) => {
      if (request.url === '/poll') return;
      const isFirst = backendOf().length === 1;
      if (!isFirst) response.end();
      else if (how === 'cut') response.destroy();
      else if (how !== 'silence') response.writeHead(how).end();
    });
  }
  let backend: TestService;
  const backendOf = () => sentTo(backend);

  test.each(['cut', 502, 'silence'] as const)('is never sent again by itself: %s', async (how) => {
    backend = await failing(how);
    const gateway = await harness(sendingTo(backend, { timeout: '500ms' }), { clock });
    const client = await gateway.connect();
    client.send('a');
    client.send('b');
    expect((await closeOf(client)).code).toBe(1014);
    expect(await gateway.endings[0]).toMatchObject({
      code: 1014,
      by: 'upstream',
      error: { code: ERRORS[how] },
    });
    expect(sentTo(backend)).toEqual(['a']);
  });

  test.each(['cut', 502, 'silence'] as const)(
    'is sent again under the same key where the service drops what it has had: %s',
    async (how) => {
      backend = await failing(how);
      const gateway = await harness(sendingTo(backend, { timeout: '500ms', retry: 'idempotent' }), { clock });
      const client = await gateway.connect();
      client.send('a');
      client.send('b');
      await until(() => sentTo(backend).length === 3);
      const keys = backend.requests.map(({ headers }) => headers['idempotency-key']).filter(Boolean);
      const id = gateway.sessions[0]?.id;
      expect(sentTo(backend)).toEqual(['a', 'a', 'b']);
      expect(keys).toEqual([`${id}:1`, `${id}:1`, `${id}:2`]);
    },
  );
});

describe('the flow from the client', () => {
  test('stops while messages beyond queueSize wait, and goes on', async () => {
    let open = false;
    const held: (() => void)[] = [];
    const backend = await service((request, response) => {
      if (request.url === '/poll') return;
      if (open) response.end();
      else held.push(() => response.end());
    });
    const gateway = await harness(sendingTo(backend, {}, { queueSize: '4KiB' }));
    const client = await rawClient(gateway);
    const frames = Array.from({ length: 300 }, (_, index) => [0x81, 0x83, 0, 0, 0, 0, ...digits(index)]);
    client.write(Buffer.from(frames.flat()));
    await until(() => held.length === 1);
    for (let i = 0; i < 200; i++) await setImmediate();
    // The queue and the message in flight, though one read brought all of them.
    expect(gateway.sessions[0]?.up.messages).toBeLessThan(25);
    open = true;
    held[0]?.();
    await until(() => sentTo(backend).length === 300, 'the rest');
    expect(sentTo(backend).map(Number)).toEqual(Array.from({ length: 300 }, (_, index) => index));
  });

  test('pauses for as long as the session says', async () => {
    const waits = [0, 20, 0, 0, 5, 0];
    const backend = await service((request, response) => void (request.url === '/send' && response.end()));
    const gateway = await harness(sendingTo(backend), {
      session: { admitMessage: () => waits.shift() ?? 0, admitBytes: (count) => (count === 2 ? 10 : 0) },
    });
    const client = await gateway.connect();
    for (const text of ['a', 'bb', 'c', 'd']) client.send(text);
    await until(() => sentTo(backend).length === 4);
    expect(sentTo(backend)).toEqual(['a', 'bb', 'c', 'd']);
    expect(waits).toEqual([]);
  });

  test.each(['ping', 'pong'] as const)('counts a %s too', async (kind) => {
    let asked = 0;
    const backend = await service(() => {});
    const gateway = await harness(sendingTo(backend), {
      session: {
        admitMessage() {
          if (++asked > 3) throw new GatewayError('RATE_LIMITED');
          return 0;
        },
      },
    });
    const client = await gateway.connect();
    for (let i = 0; i < 4; i++) client[kind]();
    expect((await closeOf(client)).code).toBe(1008);
    expect(await gateway.endings[0]).toMatchObject({ code: 1008, by: 'gateway' });
    expect(gateway.sessions[0]?.up.messages).toBe(0);
  });

  test('does not count the pong that answers our ping', async () => {
    const asked: number[] = [];
    const backend = await service((request, response) => void (request.url === '/send' && response.end()));
    const gateway = await harness(sendingTo(backend), {
      session: { admitMessage: () => 0 * asked.push(0) },
    });
    const client = await gateway.connect();
    const pinged = once(client, 'ping');
    gateway.sessions[0]?.link?.ping();
    await pinged;
    client.send('after the pong');
    await until(() => sentTo(backend).length === 1);
    expect(asked.length).toBe(1);
  });

  test.each([
    ['admitMessage', { admitMessage: () => refuse() }, []],
    // Bytes are charged when they have come.
    ['admitBytes', { admitBytes: () => refuse() }, ['a']],
  ])('ends with what %s throws', async (_, session, sent) => {
    const backend = await service((request, response) => void (request.url === '/send' && response.end()));
    const gateway = await harness(sendingTo(backend), { session });
    const client = await gateway.connect();
    client.send('a');
    expect((await closeOf(client)).code).toBe(1008);
    await gateway.endings[0];
    expect(sentTo(backend)).toEqual(sent);
  });
});

/** Three digits in ASCII. */
function digits(number: number): Buffer {
  return Buffer.from(String(number).padStart(3, '0'));
}

test('nothing that comes after a refused message is sent', async () => {
  const admitMessage = (() => {
    let refused = false;
    return () => {
      if (refused) return 0;
      refused = true;
      return refuse();
    };
  })();
  const backend = await service((request, response) => void (request.url === '/send' && response.end()));
  const gateway = await harness(sendingTo(backend), { session: { admitMessage, closeMs: 50 } });
  const client = await rawClient(gateway);
  const frame = [0x81, 0x81, 0, 0, 0, 0, 0x61];
  client.write(Buffer.from([...frame, ...frame, ...frame]));
  expect(await gateway.endings[0]).toMatchObject({ code: 1008 });
  expect(sentTo(backend)).toEqual([]);
});

function refuse(): never {
  throw new GatewayError('RATE_LIMITED');
}
