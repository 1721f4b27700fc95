import { afterEach, describe, expect, test } from 'vitest';
import { closeOf, fixtures, inboxOf, rawClient, until } from '../../support/poll.ts';
import { fastClock } from '../../support/poll-clock.ts';
import { frame, framesIn, PING, PONG } from '../../support/raw.ts';

/** What is lost when a session ends, and who is told of it. */

const { service, harness, undo } = fixtures();
afterEach(undo);

/** Two messages from a cursor on; polls behind them are held. */
async function feed() {
  return service((request, response) => {
    if (request.url.endsWith('since=0')) response.end('{"next":1,"events":["a"]}');
    if (request.url.endsWith('since=1')) response.end('{"next":2,"events":["b"]}');
  });
}

const CURSOR = {
  poll: { path: '/feed' },
  cursor: { from: 'json:/next', send: 'query:since', initial: '0' },
  messages: { framing: 'json-array', at: 'json:/events' },
};

describe('a cursor with `ack: pong`', () => {
  test('moves when the client has answered, and not before', async () => {
    const backend = await feed();
    const gateway = await harness({ target: backend.url, ...CURSOR, ack: 'pong' });
    const client = await rawClient(gateway);
    let got = Buffer.alloc(0);
    client.on('data', (chunk: Buffer) => {
      got = Buffer.concat([got, chunk]);
    });
    const pings = () => framesIn(got).filter(({ opcode }) => opcode === PING);
    await until(() => pings().length === 1);
    expect(backend.requests.map(({ url }) => url)).toEqual(['/feed?since=0']);
    client.write(frame(PONG, pings()[0]?.payload as Buffer));
    await until(() => backend.requests.length === 2);
    expect(backend.requests[1]?.url).toBe('/feed?since=1');
  });

  test('moves for every client that answers pings', async () => {
    const backend = await feed();
    const gateway = await harness({ target: backend.url, ...CURSOR, ack: 'pong' });
    const inbox = inboxOf(await gateway.connect());
    expect(await inbox.atLeast(2)).toEqual(['a', 'b']);
    await until(() => backend.requests.at(-1)?.url === '/feed?since=2');
  });

  test('loses and doubles nothing when answers are cut and other pings come between', async () => {
    let asked = 0;
    const backend = await service((request, response) => {
      const since = Number(new URL(request.url, 'http://x').searchParams.get('since'));
      if (since === 100) return;
      const body = JSON.stringify({ next: since + 1, events: [since + 1] });
      if (++asked % 3 > 0) response.end(body);
      else
        response
          .writeHead(200, { 'content-length': body.length })
          .write(body.slice(1), () => response.destroy());
    });
    const gateway = await harness({ target: backend.url, ...CURSOR, ack: 'pong' }, fastClock());
    const client = await gateway.connect();
    client.on('message', () => gateway.sessions[0]?.link?.ping());
    const inbox = inboxOf(client);
    await inbox.atLeast(100);
    await until(() => backend.requests.at(-1)?.url === '/feed?since=100');
    expect(inbox.texts).toEqual(Array.from({ length: 100 }, (_, index) => String(index + 1)));
  });

  test('ends a client that is read and does not answer', async () => {
    const backend = await feed();
    const gateway = await harness(
      { target: backend.url, ...CURSOR, ack: 'pong' },
      { session: { stallMs: 20, closeMs: 50 } },
    );
    (await rawClient(gateway)).resume();
    expect(await gateway.endings[0]).toMatchObject({ code: 1001, error: { code: 'PEER_SILENT' } });
    expect(backend.requests.length).toBe(1);
  });
});

describe('what was taken from a client', () => {
  test('and not accepted is counted', async () => {
    const backend = await service((request, response) => {
      if (request.url === '/send' && String(request.body) === 'a') response.end();
    });
    const route = { target: backend.url, poll: { path: '/poll' }, send: { path: '/send' } };
    const gateway = await harness(route, { session: { closeMs: 100 } });
    const client = await gateway.connect();
    for (const text of ['a', 'b', 'c']) client.send(text);
    await until(() => backend.requests.filter(({ url }) => url === '/send').length === 2);
    client.close(1000);
    await gateway.endings[0];
    expect(gateway.sessions[0]?.undelivered).toBe(2);
  });

  test('and sent before the end is not', async () => {
    const backend = await service((request, response) => void (request.url === '/send' && response.end()));
    const gateway = await harness({ target: backend.url, poll: { path: '/poll' }, send: { path: '/send' } });
    const client = await gateway.connect();
    for (const text of ['a', 'b', 'c']) client.send(text);
    client.close(1000);
    await gateway.endings[0];
    expect(gateway.sessions[0]?.undelivered).toBe(0);
  });

  test('and refused for good is', async () => {
    const backend = await service((request, response) => {
      if (request.url === '/send') response.writeHead(403).end();
    });
    const gateway = await harness({ target: backend.url, poll: { path: '/poll' }, send: { path: '/send' } });
    const client = await gateway.connect();
    client.send('a');
    expect((await closeOf(client)).code).toBe(3003);
    await gateway.endings[0];
    expect(gateway.sessions[0]?.undelivered).toBe(1);
  });
});

test('a hundred clients that vanish at once make sixteen goodbyes at a time', async () => {
  let open = 0;
  let most = 0;
  let told = 0;
  const backend = await service(async (request, response) => {
    if (request.url !== '/leave') return;
    most = Math.max(most, ++open);
    await new Promise((resolve) => setTimeout(resolve, 5));
    open--;
    told++;
    response.end();
  });
  const gateway = await harness({ target: backend.url, poll: { path: '/poll' }, close: { path: '/leave' } });
  const clients = await Promise.all(Array.from({ length: 100 }, () => rawClient(gateway)));
  await until(() => backend.requests.length === 100);
  for (const client of clients) client.resetAndDestroy();
  // No session waits for its own.
  await Promise.all(gateway.endings);
  expect(told).toBeLessThan(100);
  await until(() => told === 100, 'all goodbyes');
  expect(most).toBeLessThanOrEqual(16);
});
