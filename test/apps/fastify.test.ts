import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import multipart from '@fastify/multipart';
import websocket from '@fastify/websocket';
import fastify, { type FastifyRequest } from 'fastify';
import { Agent, FormData, request } from 'undici';
import { expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';
import { startGuardedExample } from '../support/example.ts';
import { eventually, within } from '../support/patience.ts';
import { portOf } from '../support/servers.ts';

/** Two servers of Fastify behind one route, over TLS and with a token: uploads, streams, slow answers, WebSockets. */

const MEBIBYTE = 2 ** 20;

/** One server; closed when the test has finished. */
async function startApi(name: string) {
  const feed = new PassThrough();
  let healthChecks = 0;
  let waiting = 0;
  const app = fastify({ trustProxy: '127.0.0.1', forceCloseConnections: true });
  await app.register(multipart, { limits: { fileSize: 64 * MEBIBYTE } });
  await app.register(websocket);
  app.get('/healthz', () => {
    healthChecks++;
    return 'well';
  });
  app.get('/v1/who', ({ headers, ip, protocol, host }) => ({
    name,
    user: headers['x-user'],
    ip,
    protocol,
    host,
  }));
  app.post('/v1/files', receive);
  app.get('/v1/feed', (_request, reply) => reply.type('application/x-ndjson').send(feed));
  app.get('/v1/report', () => {
    waiting++;
    return new Promise(() => {});
  });
  app.get('/v1/echo', { websocket: true }, (socket, { headers }) => {
    socket.on('message', (said) => socket.send(`${headers['x-user']}: ${said}`));
  });
  await app.listen({ host: '127.0.0.1', port: 0 });
  onTestFinished(() => app.close());

  return { port: portOf(app.server), feed, healthChecks: () => healthChecks, waiting: () => waiting };
}

/** The fields and files of a form: what each is called, how long it is, and its hash. */
async function receive(request: FastifyRequest) {
  const received: object[] = [];
  for await (const part of request.parts()) {
    if (part.type === 'field') {
      received.push({ [part.fieldname]: part.value });
      continue;
    }
    const hash = createHash('sha256');
    await pipeline(part.file, hash);
    received.push({ [part.fieldname]: part.filename, bytes: part.file.bytesRead, hash: hash.digest('hex') });
  }
  return received;
}

async function startScene(changes: Record<string, string> = {}) {
  const apis = await Promise.all([startApi('one'), startApi('other')]);
  const { gateway, token, ca } = await startGuardedExample('fastify', {
    'http://127.0.0.1:3000': `http://127.0.0.1:${apis[0].port}`,
    'http://127.0.0.1:3001': `http://127.0.0.1:${apis[1].port}`,
    ...changes,
  });
  const dispatcher = new Agent({ connect: { ca } });
  onTestFinished(() => dispatcher.destroy());
  const url = `https://localhost:${gateway.port}/v1`;
  const headers = { authorization: `Bearer ${token}` };

  const call = (path: string, options: { method?: string; body?: FormData } = {}) =>
    request(url + path, { dispatcher, headers, ...options });
  return { apis, gateway, headers, ca, url, call };
}

test('both servers answer in turn, and know who asks, from where and for what', async () => {
  const { apis, gateway, call } = await startScene({
    'every: 10s, within: 2s': 'every: 200ms, within: 2s',
  });
  const answers: unknown[] = [];
  for (let count = 0; count < 4; count++) answers.push(await (await call('/who')).body.json());
  const client = { user: 'alice', ip: '127.0.0.1', protocol: 'https', host: `localhost:${gateway.port}` };
  expect(answers).toEqual(
    expect.arrayContaining([
      { name: 'one', ...client },
      { name: 'other', ...client },
    ]),
  );
  await eventually(() => apis.every(({ healthChecks }) => healthChecks() > 0), 'the first health checks');
});

test('a form with large files arrives whole', async () => {
  const { call } = await startScene();
  const contents = [Buffer.alloc(20 * MEBIBYTE, 'one'), Buffer.alloc(3, 'x'), Buffer.alloc(0)];
  const form = new FormData();
  form.append('title', 'κόσμε');
  for (const [index, content] of contents.entries()) form.append('file', new Blob([content]), `${index}.bin`);
  const { body } = await call('/files', { method: 'POST', body: form });
  const files = contents.map((content, index) => ({
    file: `${index}.bin`,
    bytes: content.length,
    hash: createHash('sha256').update(content).digest('hex'),
  }));
  expect(await body.json()).toEqual([{ title: 'κόσμε' }, ...files]);
});

test('a feed comes line by line, and its end is told to the server when the reader leaves', async () => {
  const { apis, call } = await startScene();
  // The server sends nothing, not even a head, before the first line.
  for (const { feed } of apis) feed.write('{"line":1}\n');
  const { body } = await call('/feed');
  const lines = body[Symbol.asyncIterator]();
  const next = async () => `${(await within(lines.next(), 'a line')).value}`;
  expect(await next()).toBe('{"line":1}\n');
  for (const { feed } of apis) feed.write('{"line":2}\n');
  expect(await next()).toBe('{"line":2}\n');
  body.on('error', () => {}).destroy();
  await eventually(() => apis.some(({ feed }) => feed.destroyed), 'the end of the feed');
});

test('an answer that does not come in time is 504', async () => {
  const { call } = await startScene({ 'response: 2m': 'response: 200ms' });
  const { statusCode, body } = await within(call('/report'), 'an answer');
  expect([statusCode, await body.text()]).toEqual([504, expect.stringContaining('UPSTREAM_TIMEOUT')]);
});

test('one client holds no more requests under way than it may, and others after them come through', async () => {
  const { apis, call } = await startScene({
    'perClient: 16': 'perClient: 2',
    'response: 2m': 'response: 1s',
  });
  const held = [call('/report'), call('/report')];
  const waiting = () => apis.reduce((sum, api) => sum + api.waiting(), 0);
  await eventually(() => waiting() === 2, 'two requests under way');
  const third = await call('/who');
  expect([third.statusCode, await third.body.text()]).toEqual([429, expect.anything()]);
  for (const { statusCode, body } of await Promise.all(held)) {
    expect(statusCode).toBe(504);
    await body.dump();
  }
  const next = await call('/who');
  expect(next.statusCode).toBe(200);
  await next.body.dump();
});

test('a WebSocket says what it is told, and who says it', async () => {
  const { url, headers, ca } = await startScene();
  const socket = new WebSocket(`${url.replace('https', 'wss')}/echo`, { ca, headers });
  onTestFinished(() => socket.terminate());
  await within(once(socket, 'open'), 'a WebSocket');
  socket.send('κόσμε');
  const [echo] = await within(once(socket, 'message'), 'an echo');
  expect(`${echo}`).toBe('alice: κόσμε');
});
