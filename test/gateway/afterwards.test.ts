import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { backTo, eventually, quietCensus } from '../support/census.ts';
import { startEcho, startUpstream, type Upstream } from '../support/faulty.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { BINARY, handshake, open, say, type Wire } from '../support/raw.ts';

/**
 * What has ended leaves nothing behind: every deadline of these routes is a minute or an hour away, so that a timer nobody has
 * stopped is still there when it is counted.
 */

const LONG =
  'timeouts: { handshake: 1m, stall: 1m, close: 1m, idle: 1h, lifetime: 1h }, keepalive: { every: 1m, within: 1m }';

let echo: Upstream;
let tcp: Upstream;
let http: Server;

beforeAll(async () => {
  echo = await startEcho();
  tcp = await startUpstream();
  http = createServer((request, response) => {
    request.resume();
    if (request.method !== 'GET') response.writeHead(204).end();
  }).listen(0, '127.0.0.1');
  await once(http, 'listening');
});
afterAll(async () => {
  await echo.close();
  await tcp.close();
  http.close();
  http.closeAllConnections();
});

function start(): Promise<TestGateway> {
  const { port } = http.address() as AddressInfo;
  const poll = `target: "http://127.0.0.1:${port}", poll: { path: /p, hold: 1m }, send: { path: /s }, close: { path: /c }`;
  return startGateway(`routes:
  - { name: websocket, match: { path: /websocket }, auth: none, ${LONG}, upstream: { websocket: ["ws://127.0.0.1:${echo.port}", "ws://127.0.0.1:${echo.port}/b"] } }
  - { name: closing, match: { path: /closing }, refuse: close, auth: none, ${LONG}, addresses: { deny: [127.0.0.0/8] }, upstream: { tcp: "127.0.0.1:${tcp.port}" } }
  - { name: tcp, match: { path: /tcp }, auth: none, ${LONG}, upstream: { tcp: "127.0.0.1:${tcp.port}" } }
  - { name: poll, match: { path: /poll }, auth: none, ${LONG}, upstream: { poll: { ${poll} } } }`);
}

const BRIDGES = ['websocket', 'tcp', 'poll'] as const;

const ENDS: readonly [string, (client: Wire) => void][] = [
  ['a Close', (client) => client.sendClose(1000)],
  ['a FIN', (client) => client.socket.end()],
  ['a reset', (client) => client.socket.resetAndDestroy()],
];

describe.each(BRIDGES)('%s', (bridge) => {
  test.each(ENDS)('a connection that ended with %s of its client', async (_name, finish) => {
    await using gateway = await start();
    // What the gateway keeps for later, such as a connection to a service, is not the session's.
    await play(gateway, bridge, (client) => client.sendClose(1000));
    const before = await quietCensus();
    await play(gateway, bridge, finish);
    await backTo(before);
  });
});

async function play(
  { gateway, port }: TestGateway,
  bridge: string,
  finish: (client: Wire) => void,
): Promise<void> {
  using client = await open(port, `/${bridge}`);
  expect(gateway.connections).toBe(1);
  finish(client);
  await client.ended();
  await eventually(() => gateway.connections === 0);
}

test('a connection whose client had stopped reading when it was reset', async () => {
  await using gateway = await start();
  await play(gateway, 'websocket', (client) => client.sendClose(1000));
  const before = await quietCensus();
  using client = await open(gateway.port, '/websocket');
  client.socket.pause();
  const service = echo.wires.at(-1) as Wire;
  while (!service.socket.writableNeedDrain) {
    service.send(BINARY, Buffer.alloc(2 ** 20));
    await new Promise(setImmediate);
  }
  client.socket.resetAndDestroy();
  await service.ended();
  await backTo(before);
});

test.each([
  ['an upgrade', handshake('/nowhere')],
  ['an upgrade by close code', handshake('/closing')],
  ['a plain request', 'GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['a plain request with a body', 'POST /nowhere HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody'],
  ['what is no request', 'nonsense\r\n\r\n'],
])('%s that was refused', async (_name, bytes) => {
  await using gateway = await start();
  const before = await quietCensus();
  {
    using client = await say(gateway.port, bytes);
    await client.ended();
  }
  // A refused client may linger for two seconds; this one has left.
  await backTo(before, 1_000);
});

test('a drain that everybody obeyed', async () => {
  const before = await quietCensus();
  const gateway = await start();
  const clients = await Promise.all(BRIDGES.map((bridge) => open(gateway.port, `/${bridge}`)));
  const closing = gateway.gateway.close({ deadlineMs: 60_000 });
  for (const client of clients) expect(await client.ended()).toMatchObject({ code: 1001 });
  await closing;
  await backTo(before);
});
