import { once } from 'node:events';
import type { Server } from 'node:http';
import { text } from 'node:stream/consumers';
import { createAdaptorServer, upgradeWebSocket } from '@hono/node-server';
import { Hono } from 'hono';
import { etag } from 'hono/etag';
import { poweredBy } from 'hono/powered-by';
import { streamSSE } from 'hono/streaming';
import { Agent, request } from 'undici';
import { expect, onTestFinished, test } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { startGuardedExample } from '../support/example.ts';
import { within } from '../support/patience.ts';
import { serve } from './serve.ts';

/** Hono on Node behind a part of a site's paths, over TLS and with a token: calls, streams and WebSockets. */

/** A service whose ticks come when they are told to. */
async function startHono() {
  const app = new Hono();
  const ticks = new TransformStream<string, string>();
  app.use(poweredBy());
  app.get('/hello', etag(), ({ req, text }) => {
    const prefix = req.header('x-forwarded-prefix');
    return text(`${req.header('x-user')} at ${prefix} ${req.path} ${req.query('q')}`);
  });
  app.post('/upper', async ({ req, text }) => text((await req.text()).toUpperCase()));
  app.get('/ticks', (context) =>
    streamSSE(context, async (stream) => {
      for await (const data of ticks.readable) await stream.writeSSE({ data });
    }),
  );
  app.get(
    '/echo',
    upgradeWebSocket(({ req }) => ({
      onOpen: (_event, socket) => socket.send(`${req.header('x-user')} at ${req.path}`),
      onMessage: ({ data }, socket) => socket.send(data as string | ArrayBuffer),
    })),
  );
  const server = new WebSocketServer({ noServer: true });
  const port = await serve(createAdaptorServer({ fetch: app.fetch, websocket: { server } }) as Server);
  return { port, ticks: ticks.writable.getWriter() };
}

async function startScene() {
  const hono = await startHono();
  const changes = { 'http://127.0.0.1:3000': `http://127.0.0.1:${hono.port}` };
  const { gateway, token, ca } = await startGuardedExample('hono', changes);
  const dispatcher = new Agent({ connect: { ca } });
  onTestFinished(() => dispatcher.destroy());
  const url = `https://localhost:${gateway.port}/api`;

  function call(path: string, headers: object = {}, body?: string) {
    const method = body === undefined ? 'GET' : 'POST';
    const authorization = `Bearer ${token}`;
    return request(url + path, { dispatcher, method, headers: { authorization, ...headers }, body });
  }
  return { hono, gateway, token, ca, url, call };
}

test('a call arrives at the path the service knows, and its answer says what the gateway was told to say', async () => {
  const { call } = await startScene();
  const { statusCode, headers, body } = await call('/hello?q=%2Fa%20b');
  expect(await body.text()).toBe('alice at /api /hello /a b');
  expect({ statusCode, headers }).toMatchObject({
    statusCode: 200,
    headers: { 'strict-transport-security': 'max-age=31536000' },
  });
  expect(headers).not.toHaveProperty('x-powered-by');
  const again = await call('/hello?q=%2Fa%20b', { 'if-none-match': headers.etag });
  expect(again.statusCode).toBe(304);
  await again.body.dump();
});

test('a body goes there and back', async () => {
  const { call } = await startScene();
  const { body } = await call('/upper', {}, 'κόσμε '.repeat(500_000));
  expect((await body.text()) === 'ΚΌΣΜΕ '.repeat(500_000)).toBe(true);
});

test('server-sent events come one by one', async () => {
  const { hono, call } = await startScene();
  const { statusCode, body } = await call('/ticks');
  expect(statusCode).toBe(200);
  const events = body[Symbol.asyncIterator]();
  for (const tick of ['one', 'two', 'three']) {
    await hono.ticks.write(tick);
    const { value } = await within(events.next(), `the tick ${tick}`);
    expect(`${value}`).toBe(`data: ${tick}\n\n`);
  }
  await hono.ticks.close();
  expect(await within(text(body), 'the end')).toBe('');
});

test('a WebSocket with its token among the subprotocols says what it is told, at the path the service knows', async () => {
  const { url, token, ca } = await startScene();
  const protocols = ['chat', 'bearer', token];
  const socket = new WebSocket(`${url.replace('https', 'wss')}/echo`, protocols, { ca });
  onTestFinished(() => socket.terminate());
  const [greeting] = await within(once(socket, 'message'), 'a greeting');
  expect(`${greeting}`).toBe('alice at /echo');
  expect(socket.protocol).toBe('chat');
  for (const said of ['κόσμε', Buffer.alloc(100_000, 7)]) {
    socket.send(said);
    const [echo, isBinary] = await within(once(socket, 'message'), 'an echo');
    expect(isBinary).toBe(typeof said !== 'string');
    expect(echo.equals(Buffer.from(said as string))).toBe(true);
  }
  socket.close(4000, 'enough');
  expect(await within(once(socket, 'close'), 'the end')).toEqual([4000, Buffer.from('enough')]);
});

test('nobody comes in without a token', async () => {
  const { call, url, ca } = await startScene();
  const { statusCode, body } = await call('/hello', { authorization: '' });
  expect([statusCode, await body.text()]).toEqual([401, expect.stringContaining('TOKEN_MISSING')]);
  const socket = new WebSocket(`${url.replace('https', 'wss')}/echo`, ['chat'], { ca });
  const [error] = await within(once(socket, 'error'), 'a refusal');
  expect(error.message).toContain('401');
});
