import { createHash } from 'node:crypto';
import { setImmediate, setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import { Backoff } from '../../../src/bridge/poll/backoff.ts';
import { keepPolling, type PollingParts } from '../../../src/bridge/poll/polling.ts';
import { closeOf, fixtures, inboxOf, rawClient, type ServiceHandler, until } from '../../support/poll.ts';
import { fastClock } from '../../support/poll-clock.ts';

const { service, harness, undo } = fixtures();
afterEach(undo);

test('a fault of our own is not polled away: it ends the session', async () => {
  const { clock, slept } = fastClock();
  const { signal } = new AbortController();
  const receives = {
    poll() {
      throw new TypeError('no such field');
    },
  };
  const backoff = new Backoff({ clock });
  const parts = {
    http: { exchange: () => expect.unreachable() },
    receives,
    backoff,
    clock,
    take: async () => true,
  };
  await expect(keepPolling(parts as unknown as PollingParts, signal)).rejects.toMatchObject({
    code: 'INTERNAL',
  });
  expect(slept).toEqual([]);
});

/** A feed of numbered messages, three to an answer, from the one after `since`. */
const FEED = {
  poll: { path: '/feed?max=3' },
  cursor: { from: 'json:/next', send: 'query:since', initial: '0' },
  messages: { framing: 'json-array', at: '/events' },
} as const;

function feedPage(url: string, last: number): { body: string; isEnd: boolean } {
  const since = Number(new URL(url, 'http://x').searchParams.get('since'));
  const numbers = Array.from({ length: Math.min(3, last - since) }, (_, index) => since + index + 1);
  return {
    body: JSON.stringify({ next: since + numbers.length, events: numbers }),
    isEnd: numbers.length === 0,
  };
}

function numbersTo(last: number): string[] {
  return Array.from({ length: last }, (_, index) => String(index + 1));
}

function digest(texts: readonly string[]): string {
  return createHash('sha256').update(texts.join()).digest('hex');
}

describe('a cursor', () => {
  test('loses and doubles nothing when answers are cut at any byte', async () => {
    let asked = 0;
    const feed: ServiceHandler = (request, response) => {
      const { body, isEnd } = feedPage(request.url, 300);
      if (isEnd) return;
      response.writeHead(200, { 'content-length': body.length });
      // A different byte each time, every other time: headers only, the middle, all but one.
      const cut = ++asked % 2 === 0 ? undefined : (asked * 7) % body.length;
      if (cut === undefined) response.end(body);
      else response.write(body.slice(0, cut), () => response.destroy());
    };
    const backend = await service(feed);
    const gateway = await harness({ ...withTarget(FEED, backend.url) }, fastClock());
    const inbox = inboxOf(await gateway.connect());
    expect(digest(await inbox.atLeast(300))).toBe(digest(numbersTo(300)));
    await until(() => backend.requests.at(-1)?.url === '/feed?max=3&since=300');
    expect(inbox.texts).toHaveLength(300);
  });

  test('moves from a header to a header as well', async () => {
    const backend = await service((request, response) => {
      const since = Number(request.headers['x-since'] ?? 0);
      if (since < 5)
        response.writeHead(200, { 'x-next': since + 1, 'content-type': 'text/plain' }).end(`m${since}`);
    });
    const gateway = await harness({
      target: backend.url,
      poll: { path: '/feed' },
      cursor: { from: 'header:X-Next', send: 'header:X-Since' },
    });
    const inbox = inboxOf(await gateway.connect());
    expect(await inbox.atLeast(5)).toEqual(['m0', 'm1', 'm2', 'm3', 'm4']);
  });

  test('that moves though nothing came is followed after a wait', async () => {
    const backend = await service((request, response) => {
      if (request.url.endsWith('since=0')) response.end('{"next":9,"events":[]}');
    });
    const { clock, slept } = fastClock();
    const gateway = await harness(withTarget(FEED, backend.url), { clock });
    await gateway.connect();
    await until(() => backend.requests.some(({ url }) => url.endsWith('since=9')));
    expect(slept).toEqual([2000]);
  });

  test('that does not move ends the session before the first message, or it would come for ever', async () => {
    const backend = await service((request, response) => {
      const body = request.url.endsWith('since=0')
        ? '{"next":1,"events":["a"]}'
        : '{"next":1,"events":["b"]}';
      response.end(body);
    });
    const gateway = await harness(withTarget(FEED, backend.url));
    const client = await gateway.connect();
    const inbox = inboxOf(client);
    expect(await closeOf(client)).toEqual({
      code: 1014,
      reason: 'The service sent messages, but the cursor did not move.',
    });
    expect(await gateway.endings[0]).toMatchObject({ by: 'upstream', error: { code: 'UPSTREAM_INVALID' } });
    expect([inbox.texts, backend.requests.length]).toEqual([['a'], 2]);
  });

  test('stays where it is through answers without one', async () => {
    const backend = await service((_, response) => {
      if (backend.requests.length === 1) response.end('{"next":3,"events":[1,2,3]}');
      else if (backend.requests.length === 2) response.writeHead(204).end();
      else if (backend.requests.length === 3) response.end('{}');
    });
    const gateway = await harness(withTarget(FEED, backend.url), fastClock());
    await gateway.connect();
    await until(() => backend.requests.length === 4);
    expect(backend.requests.map(({ url }) => url.split('since=')[1])).toEqual(['0', '3', '3', '3']);
  });

  test('that is missing beside messages ends the session, or they would come for ever', async () => {
    const backend = await service((_, response) => void response.end('{"events":[1]}'));
    const gateway = await harness(withTarget(FEED, backend.url));
    const client = await gateway.connect();
    expect((await closeOf(client)).code).toBe(1014);
    expect(gateway.sessions[0]?.down.messages).toBe(0);
  });

  test('may stand in the path alone', async () => {
    const backend = await service((request, response) => {
      if (request.url === '/feed/a%2Fb') response.end('{"next":"c","events":["x"]}');
    });
    const gateway = await harness({
      target: backend.url,
      poll: { path: '/feed/{cursor}' },
      cursor: { from: 'json:/next', initial: 'a/b' },
      messages: { framing: 'json-array', at: 'json:/events' },
    });
    await gateway.connect();
    await until(() => backend.requests.at(-1)?.url === '/feed/c');
  });
});

function withTarget({ messages, ...rest }: typeof FEED, target: string) {
  return { target, ...rest, messages: { framing: messages.framing, at: `json:${messages.at}` } };
}

describe('polls', () => {
  test('never overlap', async () => {
    let open = 0;
    let most = 0;
    const backend = await service(async (request, response) => {
      most = Math.max(most, ++open);
      const { body, isEnd } = feedPage(request.url, 60);
      await setImmediate();
      open--;
      if (!isEnd) response.end(body);
    });
    const gateway = await harness(withTarget(FEED, backend.url));
    await inboxOf(await gateway.connect()).atLeast(60);
    expect(most).toBe(1);
  });

  test('are repeated when one is held for longer than `hold` and `margin`', async () => {
    const backend = await service((_, response) => {
      if (backend.requests.length < 3) response.writeHead(200).flushHeaders();
      else response.writeHead(200, { 'content-type': 'text/plain' }).end('late');
    });
    const poll = { path: '/feed', hold: '300ms', margin: '100ms' };
    // To be held is no outage, however long it goes on.
    const gateway = await harness({ target: backend.url, poll, outage: '1ms' });
    expect(await inboxOf(await gateway.connect()).atLeast(1)).toContain('late');
  });

  test.each([200, 204, 304, 408])('take %i for nothing', async (status) => {
    const body = status === 408 ? 'timed out' : '';
    const backend = await service((_, response) => void response.writeHead(status).end(body));
    const { clock, slept } = fastClock(4);
    const gateway = await harness({ target: backend.url, poll: { path: '/feed' } }, { clock });
    const inbox = inboxOf(await gateway.connect());
    await until(() => slept.length === 4);
    expect(inbox.messages).toEqual([]);
    // Answers that come at once are asked for ever more slowly: no service can make the gateway spin.
    expect([backend.requests.length, slept]).toEqual([4, [2000, 4000, 5000, 5000]]);
  });

  test('end the session where they are answered by a stream that goes on', async () => {
    const backend = await service((_, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: 1\n\n');
    });
    const poll = { path: '/feed', hold: '300ms', margin: '200ms' };
    const gateway = await harness({ target: backend.url, poll });
    const reason = 'The service answered a poll with a stream.';
    expect(await closeOf(await gateway.connect())).toEqual({ code: 1014, reason });
    const detail = expect.stringContaining('`poll.mode: stream`');
    expect(await gateway.endings[0]).toMatchObject({ error: { code: 'UPSTREAM_INVALID', detail } });
  });

  test('wait as Retry-After asks, then go on', async () => {
    const backend = await service((_, response) => {
      if (backend.requests.length === 1) response.writeHead(503, { 'retry-after': '7' }).end();
      else if (backend.requests.length === 2) response.writeHead(429, { 'retry-after': '3' }).end();
      else if (backend.requests.length === 3) response.end('back');
    });
    const { clock, slept } = fastClock();
    const gateway = await harness({ target: backend.url, poll: { path: '/feed' } }, { clock });
    await inboxOf(await gateway.connect()).atLeast(1);
    expect(slept).toEqual([7000, 3000]);
  });

  test('end with 1013 when the service is out for too long', async () => {
    const backend = await service((_, response) => void response.writeHead(502).end());
    const poll = { target: backend.url, poll: { path: '/feed' }, outage: '10s' };
    const gateway = await harness(poll, fastClock());
    const client = await gateway.connect();
    expect(await closeOf(client)).toEqual({
      code: 1013,
      reason: 'The upstream is out of service; try again later.',
    });
    expect(await gateway.endings[0]).toMatchObject({ by: 'upstream', error: { code: 'UPSTREAM_OUTAGE' } });
  });

  test('outlive a service that is down for a while', async () => {
    const backend = await service((request, response) => {
      const { body, isEnd } = feedPage(request.url, 9);
      if (!isEnd) response.end(body);
    });
    await backend.stop();
    const { clock, slept } = fastClock();
    const gateway = await harness({ ...withTarget(FEED, backend.url), outage: 'off' }, { clock });
    const inbox = inboxOf(await gateway.connect());
    await until(() => slept.length > 5);
    await backend.start();
    expect(await inbox.atLeast(9)).toEqual(numbersTo(9));
  });

  test.each([
    [302, 1014],
    [400, 1014],
    [401, 3000],
    [403, 3003],
    [404, 1014],
    [409, 1014],
    [410, 1000],
    [503, 4503],
  ])('answered with %i close the client with %i, and are not repeated', async (status, code) => {
    const backend = await service((_, response) => void response.writeHead(status).end());
    const codes = { 410: 1000, 503: 4503 };
    const gateway = await harness({ target: backend.url, poll: { path: '/feed' }, codes });
    const reason = `The service answered ${status} to a poll.`;
    expect(await closeOf(await gateway.connect())).toEqual({ code, reason });
    expect(backend.requests).toHaveLength(1);
  });

  test.each([
    ['larger than responseSize', 'x'.repeat(2000), 'text/plain'],
    ['not JSON', '{"events":[', 'application/json'],
    ['not an array', '{"events":{}}', 'application/json'],
  ])('whose answer is %s close the client with 1014', async (_, body, type) => {
    const backend = await service((_, response) => {
      response.writeHead(200, { 'content-type': type }).end(body);
    });
    const gateway = await harness({ ...withTarget(FEED, backend.url), responseSize: '1KiB' });
    const client = await gateway.connect();
    expect(await closeOf(client)).toEqual({ code: 1014, reason: 'The upstream gave an invalid answer.' });
    expect(backend.requests).toHaveLength(1);
  });
});

describe('a client that does not read', () => {
  /** Answers of 1 MiB, without end. */
  const flood: ServiceHandler = (_, response) => {
    response.writeHead(200, { 'content-type': 'application/octet-stream' }).end(Buffer.alloc(1024 * 1024));
  };

  test('stops the polls, and is closed when it has stalled', async () => {
    const backend = await service(flood);
    const gateway = await harness(
      { target: backend.url, poll: { path: '/feed' } },
      { session: { stallMs: 300, closeMs: 100 } },
    );
    const client = await gateway.connect();
    client.pause();
    expect(await gateway.endings[0]).toMatchObject({ code: 1013, error: { code: 'PEER_STALLED' } });
    const asked = backend.requests.length;
    // What the kernel's buffers of a loopback connection hold; nothing of it is ours.
    expect(asked).toBeLessThan(20);
    expect(gateway.sessions[0]?.down.messages).toBeLessThan(asked);
  });

  test('holds back its own polls only', async () => {
    const backend = await service(flood);
    const gateway = await harness({ target: backend.url, poll: { path: '/feed' } });
    const slow = await gateway.connect();
    slow.pause();
    const stuck = async () => {
      const asked = backend.requests.length;
      await sleep(50);
      return asked > 0 && backend.requests.length === asked;
    };
    await until(stuck);
    const other = inboxOf(await gateway.connect());
    await other.atLeast(40);
    expect(gateway.sessions[0]?.down.messages).toBeLessThan(20);
  });

  test('gets everything when it reads on in time', async () => {
    const backend = await service((request, response) => {
      if (backend.requests.length <= 30) return flood(request, response);
    });
    const gateway = await harness({ target: backend.url, poll: { path: '/feed' } });
    const client = await gateway.connect();
    const inbox = inboxOf(client);
    client.pause();
    await until(() => backend.requests.length > 3);
    client.resume();
    await inbox.atLeast(30);
    expect(inbox.messages.every(({ data }) => data.length === 1024 * 1024)).toBe(true);
  });

  test('is not taken for stalled while it reads slowly, even amid one long message', async () => {
    const size = 16 * 1024 * 1024;
    const backend = await service((_, response) => {
      if (backend.requests.length === 1) response.end(Buffer.alloc(size));
    });
    const route = { target: backend.url, poll: { path: '/feed' }, responseSize: '32MiB' };
    const gateway = await harness(route, { session: { stallMs: 1_000 } });
    const client = await rawClient(gateway);
    client.pause();
    let received = 0;
    while (received < size) {
      received += client.read()?.length ?? 0;
      expect(client.destroyed).toBe(false);
      await sleep(8);
    }
    await until(() => gateway.sessions[0]?.down.messages === 1);
  });
});
