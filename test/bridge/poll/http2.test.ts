import type { ServerHttp2Stream } from 'node:http2';
import { text } from 'node:stream/consumers';
import zlib from 'node:zlib';
import { afterEach, expect, onTestFinished, test } from 'vitest';
import { type Asked, http2Peer } from '../../support/http2-target.ts';
import { closeOf, fixtures, inboxOf, pollRoute, startHarness, until } from '../../support/poll.ts';

const { service, harness, undo } = fixtures();
afterEach(undo);

function answer(stream: ServerHttp2Stream, body: string, fields = {}): void {
  stream.respond({ ':status': 200, 'content-type': 'text/plain', ...fields });
  stream.end(body);
}

/** A gateway whose sessions are with a service over HTTP/2. */
async function gatewayTo(url: string, poll: object) {
  const target = url.replace('localhost', '127.0.0.1');
  const upstream = { tls: { verify: 'off' }, poll: { target, http2: 'auto', ...poll } };
  const gateway = await startHarness(pollRoute({}, { upstream }));
  onTestFinished(() => gateway.close());
  return gateway;
}

test.each([
  ['that begin without a request', {}],
  ['that are opened by a request each', { open: { path: '/open' } }],
])('sessions %s share a connection', async (_, more) => {
  const { sessions, asked, url } = await http2Peer(({ stream, headers }) => {
    if (headers[':path'] !== '/poll') answer(stream, '');
  });
  const gateway = await gatewayTo(url, { poll: { path: '/poll' }, ...more });
  await Promise.all(Array.from({ length: 30 }, () => gateway.connect()));
  const polls = () => asked.filter(({ headers }) => headers[':path'] === '/poll');
  await until(() => polls().length === 30);
  expect(sessions.size).toBe(1);
});

test('messages go each way, and a lost connection loses none', async () => {
  const feed = ['one', 'two', 'three'];
  const { sessions, asked, url } = await http2Peer(serve);
  async function serve({ stream, headers }: Asked): Promise<void> {
    if (headers[':method'] === 'POST') {
      answer(stream, `${await text(stream)}?`);
      return;
    }
    const at = Number(headers['x-after'] ?? 0);
    if (at === 2 && sessions.size === 1) stream.session?.destroy();
    else if (at < feed.length) answer(stream, feed[at] ?? '', { 'x-next': String(at + 1) });
  }
  const gateway = await gatewayTo(url, {
    poll: { path: '/poll' },
    cursor: { from: 'header:x-next', send: 'header:x-after' },
    send: { path: '/send', response: 'message' },
  });
  const client = await gateway.connect();
  const inbox = inboxOf(client);
  await inbox.atLeast(3);
  client.send('you');
  await inbox.atLeast(4);
  expect(inbox.messages.map(({ data }) => String(data))).toEqual([...feed, 'you?']);
  expect([sessions.size, asked.length]).toEqual([2, 6]);
});

test('what is compressed reaches the client as it was', async () => {
  const feed = [zlib.gzipSync('one')];
  const backend = await service((_request, response) => {
    const body = feed.shift();
    if (body) response.writeHead(200, { 'content-type': 'text/plain', 'content-encoding': 'gzip' }).end(body);
  });
  const gateway = await harness({ target: backend.url, poll: { path: '/poll' } });
  const inbox = inboxOf(await gateway.connect());
  await inbox.atLeast(1);
  expect(inbox.messages.map(({ data }) => String(data))).toEqual(['one']);
});

test.each(['poll', 'send'])('a %s whose answer cannot be decoded ends the session at once', async (which) => {
  const backend = await service((request, response) => {
    if (request.url === `/${which}`) response.writeHead(200, { 'content-encoding': 'x-secret' }).end('?');
  });
  const send = { path: '/send', response: 'message', retry: 'idempotent' };
  const gateway = await harness({ target: backend.url, poll: { path: '/poll' }, send });
  const client = await gateway.connect();
  client.send('hello');
  expect(await closeOf(client)).toMatchObject({ code: 1014 });
  expect(backend.requests.filter(({ url }) => url === `/${which}`)).toHaveLength(1);
});
