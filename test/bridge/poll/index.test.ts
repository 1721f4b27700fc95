import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { WebSocket } from 'ws';
import { ChannelHub, type SessionChannels } from '../../../src/bridge/poll/channels.ts';
import { deadPort } from '../../support/faulty.ts';
import { closeOf, fixtures, type Harness, inboxOf, until } from '../../support/poll.ts';

const { service, harness, undo } = fixtures();
afterEach(undo);

const POLL = { path: '/poll' };

/** The answer to an upgrade that was refused. */
async function refusalOf({ url }: Harness): Promise<{ message: IncomingMessage; body: string }> {
  const client = new WebSocket(`${url}/rooms/blue`);
  client.on('error', () => {});
  const [, message] = (await once(client, 'unexpected-response')) as [unknown, IncomingMessage];
  return { message, body: await text(message) };
}

const deadUrl = async () => `http://127.0.0.1:${await deadPort()}`;

test('carries text and binary messages each way', async () => {
  const feed = ['text/plain', 'application/octet-stream'];
  const backend = await service((request, response) => {
    if (request.url !== '/poll') return void response.end();
    const type = feed.shift();
    if (type) response.writeHead(200, { 'content-type': type }).end('äh');
  });
  const gateway = await harness({ target: backend.url, poll: POLL, send: { path: '/send' } });
  const client = await gateway.connect();
  const inbox = inboxOf(client);
  client.send('héllo');
  client.send(Buffer.from([0, 255]));
  await inbox.atLeast(2);
  await until(() => backend.requests.filter(({ url }) => url === '/send').length === 2);
  expect(inbox.messages).toEqual([
    { data: Buffer.from('äh'), binary: false },
    { data: Buffer.from('äh'), binary: true },
  ]);
  const sends = backend.requests.filter(({ url }) => url === '/send');
  expect(sends.map(({ body, headers }) => [headers['content-type'], body])).toEqual([
    ['text/plain; charset=utf-8', Buffer.from('héllo')],
    ['application/octet-stream', Buffer.from([0, 255])],
  ]);
  expect(gateway.sessions[0]).toMatchObject({
    up: { messages: 2, bytes: 8 },
    down: { messages: 2, bytes: 6 },
  });
});

test('takes a session out of the channels it listens to when it ends', async () => {
  const backend = await service((_request, response) => void response.writeHead(204).end());
  const channels = new ChannelHub();
  const join = vi.spyOn(channels, 'join');
  const gateway = await harness({ target: backend.url, send: { path: '/send' } }, { channels });
  const client = await gateway.connect();
  const joined = join.mock.results[0]?.value as SessionChannels;
  joined.subscribe('news', async () => true);
  expect([join.mock.lastCall, channels.size]).toEqual([[1024 * 1024, ''], 1]);
  client.close();
  await gateway.endings[0];
  expect(channels.size).toBe(0);
});

test('what is published to a channel of a route with a prefix goes by that', async () => {
  const control = 'c:{"type":"subscribe","channel":"news"}';
  const backend = await service((_request, response) => {
    const headers = { 'content-type': 'application/websocket-events', 'sec-websocket-extensions': 'grip' };
    response.writeHead(200, headers).end(`OPEN\r\nTEXT ${control.length.toString(16)}\r\n${control}\r\n`);
  });
  const channels = new ChannelHub();
  const options = { profile: 'websocket-over-http', target: backend.url, channelPrefix: 'feed:' };
  const client = await (await harness(options, { channels })).connect();
  const inbox = inboxOf(client);
  const publish = (channel: string) =>
    channels.publish(channel, { kind: 'message', message: { data: channel, binary: false } });
  expect([await publish('news'), await publish('feed:news')]).toEqual([0, 1]);
  expect(await inbox.atLeast(1)).toEqual(['feed:news']);
});

describe('open', () => {
  test('names the session and the first cursor before the 101', async () => {
    const backend = await service((request, response) => {
      if (request.method !== 'GET') response.end('{"id":"s/1","at":9007199254740993}');
    });
    const gateway = await harness({
      target: `${backend.url}/api/`,
      open: { path: '/rooms/{room}/join?v=1', session: 'json:/id', cursor: 'json:/at' },
      poll: { path: '/s/{session}?wait={hold}', hold: '20s' },
      cursor: { from: 'json:/at', send: 'query:since' },
      close: { path: '/s/{session}' },
    });
    const client = await gateway.connect({ path: '/rooms/blue?name=ann' });
    await until(() => backend.requests.length === 2);
    client.close();
    await until(() => backend.requests.length === 3);
    expect(backend.requests.map(({ method, url }) => `${method} ${url}`)).toEqual([
      'POST /api/rooms/blue/join?v=1&name=ann',
      'GET /api/s/s%2F1?wait=20&since=9007199254740993',
      'DELETE /api/s/s%2F1',
    ]);
  });

  test('passes a refusal on, with the headers a client may see and at most 64 KiB of its body', async () => {
    const backend = await service((_, response) => {
      const headers = { 'content-type': 'text/html', 'www-authenticate': 'Basic', 'x-secret': 'internal' };
      response.writeHead(401, headers).end('x'.repeat(100_000));
    });
    const { message, body } = await refusalOf(
      await harness({ target: backend.url, open: { path: '/join' }, poll: POLL }),
    );
    expect(message.statusCode).toBe(401);
    expect(message.headers).toMatchObject({ 'content-type': 'text/html', 'www-authenticate': 'Basic' });
    expect(message.headers).not.toHaveProperty('x-secret');
    expect(body).toHaveLength(65_536);
  });

  test.each([
    ['{"other":1}', 'application/json'],
    ['<html>', 'text/html'],
    ['{"id":"a\\r\\nb"}', 'application/json'],
    [`{"id":"${'x'.repeat(5000)}"}`, 'application/json'],
    ['x'.repeat(2000), 'too big'],
  ])('refuses an answer without a usable session: %#', async (answer, type) => {
    const backend = await service((_, response) => {
      response.writeHead(200, { 'content-type': type }).end(answer);
    });
    const gateway = await harness({
      target: backend.url,
      open: { path: '/join', session: 'json:/id' },
      poll: POLL,
      responseSize: type === 'too big' ? '1KiB' : '1MiB',
    });
    const { message } = await refusalOf(gateway);
    expect([message.statusCode, message.headers['x-code']]).toEqual([502, 'UPSTREAM_INVALID']);
  });

  test.each([
    ['closes without an answer', 502, 'UPSTREAM_LOST'],
    ['answers too late', 504, 'UPSTREAM_TIMEOUT'],
  ])('fails with a status when the service %s', async (how, status, code) => {
    const backend = await service((_, response) => {
      if (how === 'closes without an answer') response.destroy();
    });
    const gateway = await harness(
      { target: backend.url, open: { path: '/join' }, poll: POLL },
      { route: { timeouts: { handshake: '1s' } } },
    );
    const { message } = await refusalOf(gateway);
    expect([message.statusCode, message.headers['x-code']]).toEqual([status, code]);
    expect(backend.requests).toHaveLength(1);
  });

  test('lets the service choose among the subprotocols, and among no others', async () => {
    const backend = await service((request, response) => {
      const offered = request.headers['sec-websocket-protocol'];
      if (request.url === '/join') response.setHeader('sec-websocket-protocol', offered ? 'v2' : 'v3').end();
    });
    const gateway = await harness({ target: backend.url, open: { path: '/join' }, poll: POLL });
    expect((await gateway.connect({ protocols: ['v1', 'v2'] })).protocol).toBe('v2');
    const { message } = await refusalOf(gateway);
    expect(message.headers['x-code']).toBe('UPSTREAM_INVALID');
  });

  test('is taken back when the client leaves before the 101', async () => {
    const backend = await service((request, response) => {
      response.end(request.url === '/join' ? 'ok' : '');
    });
    const route = { target: backend.url, open: { path: '/join' }, poll: POLL, close: { path: '/leave' } };
    const gateway = await harness(route, { abandon: true });
    await refusalOf(gateway);
    await until(() => backend.requests.some(({ url }) => url === '/leave'));
    expect(backend.requests.map(({ url }) => url)).toEqual(['/join', '/leave']);
  });
});

describe('targets', () => {
  test('are taken in turn, and each session keeps its own', async () => {
    const backends = await Promise.all(
      [1, 2].map(() => service((request, response) => void (request.url === '/send' && response.end()))),
    );
    const target = backends.map(({ url }) => url);
    const gateway = await harness({ target, poll: POLL, send: { path: '/send' } });
    for (const name of ['a', 'b', 'c']) {
      const client = await gateway.connect();
      client.send(name);
      client.send(name);
    }
    await until(() => gateway.sessions.every(({ up }) => up.messages === 2));
    const sent = () => backends.map(({ requests }) => requests.map(({ body }) => String(body)).join(''));
    await until(() => sent().join('').length === 6);
    expect(sent()).toEqual(['aacc', 'bb']);
  });

  test('are passed over while they cannot be reached', async () => {
    const backend = await service((request, response) => void (request.url === '/join' && response.end()));
    const target = [await deadUrl(), backend.url];
    const gateway = await harness({ target, open: { path: '/join' }, poll: POLL });
    await gateway.connect();
    await gateway.connect();
    await until(() => backend.requests.length === 4);
    expect(gateway.sessions).toHaveLength(2);
  });

  test.each([
    [1, 502, 'UPSTREAM_REFUSED'],
    [2, 503, 'NO_HEALTHY_UPSTREAM'],
  ])('of which all %i cannot be reached refuse with %i', async (count, status, code) => {
    const target = await Promise.all(Array.from({ length: count }, deadUrl));
    const { message } = await refusalOf(await harness({ target, open: { path: '/join' }, poll: POLL }));
    expect([message.statusCode, message.headers['x-code']]).toEqual([status, code]);
  });

  test('are not changed after one has had the request', async () => {
    const cutting = await service((_, response) => void response.destroy());
    const other = await service((_, response) => void response.end());
    const gateway = await harness({ target: [cutting.url, other.url], open: { path: '/join' }, poll: POLL });
    const { message } = await refusalOf(gateway);
    expect(message.headers['x-code']).toBe('UPSTREAM_LOST');
    expect(other.requests).toEqual([]);
  });
});

test('says on every request whose session it is, and keeps the cookies of the target', async () => {
  const backend = await service((request, response) => {
    if (request.url !== '/poll') response.setHeader('set-cookie', 'lb=node-1; Path=/').end();
  });
  const gateway = await harness({
    target: backend.url,
    open: { path: '/join' },
    poll: POLL,
    send: { path: '/send' },
    close: { path: '/leave' },
  });
  const client = await gateway.connect();
  client.send('x');
  await until(() => backend.requests.length === 3);
  client.close();
  await until(() => backend.requests.length === 4);
  const seen = backend.requests.map(({ headers }) => headers);
  const id = gateway.sessions[0]?.id;
  expect(seen.map((headers) => headers['x-connection-id'])).toEqual([id, id, id, id]);
  expect(seen.map((headers) => headers['x-forwarded-for'])).toEqual(Array(4).fill('127.0.0.1'));
  expect(seen.map(({ cookie }) => cookie)).toEqual([undefined, 'lb=node-1', 'lb=node-1', 'lb=node-1']);
  expect(seen.filter((headers) => headers['idempotency-key']).length).toBe(1);
  expect(seen[1]?.['idempotency-key'] ?? seen[2]?.['idempotency-key']).toBe(`${id}:1`);
});

test('ends a client it cannot carry on with a close code, never with a bare loss', async () => {
  const backend = await service((_, response) => void response.writeHead(410).end());
  const gateway = await harness({ target: backend.url, poll: POLL });
  const client = await gateway.connect();
  expect(await closeOf(client)).toEqual({
    code: 1014,
    reason: 'The service answered 410 to a poll.',
  });
  expect(await gateway.endings[0]).toMatchObject({ code: 1014, by: 'upstream' });
});
