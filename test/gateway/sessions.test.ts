import { once } from 'node:events';
import { createServer } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { backTo, eventually, metric, quietCensus } from '../support/census.ts';
import { startEcho, startUpstream, startWebSocket, type Upstream } from '../support/faulty.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import {
  BINARY,
  dial,
  handshake,
  open,
  PING,
  PONG,
  say,
  switching,
  TEXT,
  type Wire,
} from '../support/raw.ts';
import { ISSUER, mint, SECRET, signingKey } from '../support/tokens.ts';

/** Open connections: how long they live, what is counted while they do, and how they are all ended. */

const HS = signingKey('HS256');
const expiring = (exp: number) => ({ Authorization: `Bearer ${mint(HS, { exp })}` });

let echo: Upstream;
let gateway: TestGateway;

function config(port: number, rest = ''): string {
  const to = `upstream: { websocket: "ws://127.0.0.1:${port}" }`;
  return `
issuers:
  main: { issuer: "${ISSUER}", audience: realtime, algorithms: [HS256], secret: "\${SECRET}", clockTolerance: 1ms }
routes:
  - { name: plain, match: { path: /plain }, auth: none, timeouts: { close: 200ms }, ${to} }
  - { name: strict, match: { path: /strict }, auth: { issuer: main }, ${to} }
  - { name: lenient, match: { path: /lenient }, auth: { issuer: main, onExpiry: ignore }, ${to} }
  - { name: idle, match: { path: /idle }, auth: none, timeouts: { idle: 1500ms }, keepalive: { every: 50ms, within: 300ms }, ${to} }
  - { name: kept, match: { path: /kept }, auth: none, keepalive: { every: 50ms, within: 300ms }, ${to} }
${rest}`;
}

beforeAll(async () => {
  echo = await startEcho();
  gateway = await startGateway(config(echo.port), { SECRET });
});
afterAll(async () => {
  await gateway.close();
  await echo.close();
});

describe('a session', () => {
  test('ends with its token, or outlives it where the route says so', async () => {
    const headers = expiring(Date.now() / 1000 + 2);
    using strict = await open(gateway.port, '/strict', headers);
    using lenient = await open(gateway.port, '/lenient', headers);
    const upstreams = echo.wires.slice(-2);
    expect(await strict.ended()).toMatchObject({ code: 3000 });
    lenient.send(TEXT, 'still here');
    expect((await lenient.message()).toString()).toBe('still here');
    expect(upstreams.filter(({ close }) => close?.code === 3000).length).toBe(1);
  });

  test('is not idle while messages go one way', async () => {
    using client = await open(gateway.port, '/idle');
    const upstream = echo.wires.at(-1) as Wire;
    const pings = () => client.frames.filter(({ opcode }) => opcode === PING).length;
    // The gateway's pings beat the time: the last message comes long after the first would have been forgotten.
    for (let beat = 1; beat <= 8; beat++) {
      await client.until(() => pings() >= beat, 'a ping');
      upstream.send(BINARY, 'x');
    }
    expect(client.end).toBeUndefined();
    expect(await client.ended()).toMatchObject({ code: 1001 });
  });

  test('is pinged both ways, and our pongs are not passed on', async () => {
    using client = await open(gateway.port, '/kept');
    const upstream = echo.wires.at(-1) as Wire;
    const pings = (wire: Wire) => wire.frames.filter(({ opcode }) => opcode === PING).length;
    await client.until(() => pings(client) >= 3, 'three pings');
    await upstream.until(() => pings(upstream) >= 3, 'three pings');
    expect([...client.frames, ...upstream.frames].filter(({ opcode }) => opcode === PONG)).toEqual([]);
    client.sendClose(1000);
    expect(await client.ended()).toMatchObject({ code: 1000 });
  });
});

test('what is open is counted while it is', async () => {
  await eventually(() => gateway.gateway.connections === 0);
  const before = await gateway.metrics();
  const grown = async (name: string, labels: Record<string, string>) =>
    metric(await gateway.metrics(), name, labels) - metric(before, name, labels);
  const route = 'plain';
  using one = await open(gateway.port, '/plain');
  using two = await open(gateway.port, '/plain');
  one.send(TEXT, 'hello');
  await one.message();
  two.send(BINARY, Buffer.alloc(1000));
  await two.message();
  for (const direction of ['up', 'down']) {
    expect(await grown('sallyport_messages_total', { route, direction })).toBe(2);
    expect(await grown('sallyport_payload_bytes_total', { route, direction })).toBe(1005);
  }
  expect(metric(await gateway.metrics(), 'sallyport_sessions_open', { route })).toBe(2);
  expect(await grown('sallyport_upgrades_total', { route, outcome: 'accepted' })).toBe(2);
  one.sendClose(4321);
  await one.ended();
  await eventually(() => gateway.gateway.connections === 1);
  expect(metric(await gateway.metrics(), 'sallyport_sessions_open', { route })).toBe(1);
  expect(await grown('sallyport_sessions_ended_total', { route, code: '4xxx', by: 'client' })).toBe(1);
  expect(await grown('sallyport_messages_total', { route, direction: 'up' })).toBe(2);
});

describe('a drain', () => {
  test('turns away new clients, ends the open ones with 1001, and waits for those that are slow', async () => {
    const own = await startGateway(config(echo.port), { SECRET });
    using quick = await open(own.port, '/plain');
    const upstream = echo.wires.at(-1) as Wire;
    using slow = await open(own.port, '/kept');
    slow.polite = false;
    const ready = async () =>
      (await fetch(`http://127.0.0.1:${own.gateway.adminAddress?.port}/readyz`)).status;
    expect(await ready()).toBe(200);
    const closing = own.close();
    expect(await ready()).toBe(503);
    using late = await say(own.port, handshake('/plain'));
    expect(await late.answer()).toMatchObject({ status: 503, headers: { 'retry-after': '5' } });
    expect(await quick.ended()).toMatchObject({ code: 1001 });
    expect(await upstream.ended()).toMatchObject({ code: 1001 });
    slow.polite = true;
    slow.sendClose(1001);
    await slow.ended();
    await closing;
    expect(own.gateway.connections).toBe(0);
    await own.close();
  });

  test('turns away a client whose upstream answered too late for it', async () => {
    const upstream = await startUpstream();
    const own = await startGateway(config(upstream.port), { SECRET });
    using client = await say(own.port, handshake('/plain'));
    const dialled = await upstream.wire();
    await dialled.until(() => dialled.head !== undefined, 'the handshake');
    const closing = own.close();
    dialled.write(switching(dialled.head ?? ''));
    expect(await client.answer()).toMatchObject({ status: 503 });
    await dialled.ended();
    await closing;
    await upstream.close();
  });

  test('does not wait for an upstream that has not answered', async () => {
    const upstream = await startUpstream();
    const own = await startGateway(config(upstream.port), { SECRET });
    using client = await say(own.port, handshake('/plain'));
    const dialled = await upstream.wire();
    await dialled.until(() => dialled.head !== undefined, 'the handshake');
    await own.close();
    expect(await client.answer()).toMatchObject({ status: 503 });
    await dialled.ended();
    await upstream.close();
  });

  test('ends at its deadline, however its peers behave, and leaves nothing open', async () => {
    const before = await quietCensus();
    const rude = (wire: Wire) => {
      wire.polite = false;
    };
    const upstream = await startWebSocket(rude);
    const tcp = await startUpstream(rude);
    const http = createServer(() => {}).listen(0, '127.0.0.1');
    await once(http, 'listening');
    const httpPort = (http.address() as { port: number }).port;
    const poll = `{ target: "http://127.0.0.1:${httpPort}", poll: { path: /p }, close: { path: /c } }`;
    const own = await startGateway(
      config(
        upstream.port,
        `  - { name: tcp, match: { path: /tcp }, auth: none, upstream: { tcp: "127.0.0.1:${tcp.port}" } }
  - { name: poll, match: { path: /poll }, auth: none, upstream: { poll: ${poll} } }`,
      ),
      { SECRET },
    );
    const clients: Wire[] = [];
    for (const path of ['/kept', '/tcp', '/poll']) clients.push(await open(own.port, path));
    clients.push(await dial(own.port));
    for (const client of clients) {
      rude(client);
      client.socket.pause();
    }
    expect(own.gateway.connections).toBe(3);
    await own.gateway.close({ deadlineMs: 200 });
    expect(own.gateway.connections).toBe(0);
    for (const client of clients) {
      client.socket.resume();
      await client.ended();
      client.socket.destroy();
    }
    await upstream.close();
    await tcp.close();
    http.closeAllConnections();
    http.close();
    await backTo(before);
  });
});
