import { once } from 'node:events';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { startWebSocket, type Upstream } from '../support/faulty.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { handshake, say } from '../support/raw.ts';
import { portOf } from '../support/servers.ts';

/** Whether messages are compressed is what both peers negotiate, unless a route forbids it. */

let server: WebSocketServer;
let pushy: Upstream;
let gateway: TestGateway;

beforeAll(async () => {
  server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: { threshold: 0 } });
  server.on('connection', (socket) => {
    socket.on('error', () => {}).on('message', (data, binary) => socket.send(data, { binary }));
  });
  await once(server, 'listening');
  pushy = await startWebSocket(undefined, 'Sec-WebSocket-Extensions: permessage-deflate\r\n');
  const rest = 'auth: none, limits: { messageSize: 1KiB }, timeouts: { close: 200ms }';
  gateway = await startGateway(`
routes:
  - { name: pass, match: { path: /pass }, ${rest}, upstream: { websocket: "ws://127.0.0.1:${portOf(server)}" } }
  - { name: off, match: { path: /off }, ${rest}, compression: off, upstream: { http: "http://127.0.0.1:${portOf(server)}" } }
  - { name: pushy, match: { path: /pushy }, ${rest}, compression: off, upstream: { websocket: "ws://127.0.0.1:${pushy.port}" } }`);
});
afterAll(async () => {
  await gateway?.close();
  for (const client of server.clients) client.terminate();
  server.close();
  await pushy.close();
});

/** A client that offers compression, and the service's end of its connection. */
async function openAt(path: string) {
  const accepted = once(server, 'connection') as Promise<[WebSocket]>;
  const client = new WebSocket(gateway.url(path), { perMessageDeflate: { threshold: 0 } });
  onTestFinished(() => client.terminate());
  client.on('error', () => {});
  await once(client, 'open');
  const [service] = await accepted;
  return { client, service };
}

/** Many times larger than compressed. */
const ZEROS = Buffer.alloc(64 * 1024);

test('passes from end to end by itself, and messageSize counts what is on the wire', async () => {
  const { client, service } = await openAt('/pass');
  expect([client.extensions, service.extensions]).toEqual(['permessage-deflate', 'permessage-deflate']);
  client.send(ZEROS);
  const [echo] = (await once(client, 'message')) as [Buffer];
  expect(echo.equals(ZEROS)).toBe(true);
});

test('is offered to nobody and answered to nobody where it is off: messageSize counts the message', async () => {
  const { client, service } = await openAt('/off');
  expect([client.extensions, service.extensions]).toEqual(['', '']);
  client.send('as it is');
  expect(String((await once(client, 'message'))[0])).toBe('as it is');
  client.send(ZEROS);
  expect((await once(client, 'close'))[0]).toBe(1009);
});

test('an upstream that answers with it where it is off is refused', async () => {
  const offer = { 'Sec-WebSocket-Extensions': 'permessage-deflate' };
  using client = await say(gateway.port, handshake('/pushy', offer));
  expect(await client.answer()).toMatchObject({
    status: 502,
    body: 'UPSTREAM_INVALID: The upstream gave an invalid answer.\n',
  });
  expect(pushy.wires[0]?.head).not.toMatch(/extensions/i);
});
