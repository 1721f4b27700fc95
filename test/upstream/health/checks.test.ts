import { once } from 'node:events';
import { createServer } from 'node:http';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { WebSocketServer } from 'ws';
import type { UpstreamKind } from '../../../src/config/upstream-kinds.ts';
import { createUpstreamContext, type UpstreamContext } from '../../../src/upstream/context.ts';
import { probeHttp } from '../../../src/upstream/health/http.ts';
import type { Probe } from '../../../src/upstream/health/probe.ts';
import { probeTcp } from '../../../src/upstream/health/tcp.ts';
import { probeWebSocket } from '../../../src/upstream/health/websocket.ts';
import { Pool } from '../../../src/upstream/pool.ts';
import { backTo, census, eventually } from '../../support/census.ts';
import { deadPort, startUpstream, startWebSocket } from '../../support/faulty.ts';
import { http2Peer } from '../../support/http2-target.ts';
import { switching } from '../../support/raw.ts';
import { portOf } from '../../support/servers.ts';
import { listenAt, socketPath } from '../../support/sockets.ts';
import { poolRoute, surroundings } from '../../support/upstreams.ts';

const undo: (() => unknown)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});

function poolOf(
  upstream: object,
  kind: UpstreamKind,
  context: UpstreamContext = createUpstreamContext(),
): Pool {
  const pool = new Pool(poolRoute(upstream), kind, context);
  undo.push(() => pool.close());
  return pool;
}

/** Asks a target of these once; resolves with what was wrong, or undefined. Nothing may be left open. */
async function ask(probe: Probe, pool: Pool, path?: string, ms = 5_000): Promise<string | undefined> {
  const before = census();
  const [endpoint] = pool.endpoints;
  if (endpoint === undefined) throw new Error('no endpoint');
  const fault = await probe(pool, endpoint, path, AbortSignal.timeout(ms)).then(
    () => undefined,
    (error: Error & { code?: string }) => error.code ?? error.message,
  );
  await backTo(before);
  return fault;
}

async function httpServer(statusOf: (url: string) => number): Promise<string> {
  const server = createServer((request, response) => response.writeHead(statusOf(request.url ?? '')).end());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  undo.push(() => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  });
  return `127.0.0.1:${portOf(server)}`;
}

describe('a TCP service', () => {
  test('is well if it accepts a connection', async () => {
    const service = await startUpstream();
    undo.push(service.close);
    expect(await ask(probeTcp, poolOf({ tcp: `127.0.0.1:${service.port}` }, 'tcp'))).toBeUndefined();
    expect(await ask(probeTcp, poolOf({ tcp: `127.0.0.1:${await deadPort()}` }, 'tcp'))).toBe(
      'UPSTREAM_REFUSED',
    );
  });
});

describe('an HTTP service', () => {
  test.each([
    [200, undefined],
    [204, undefined],
    [302, undefined],
    [404, 'it answered 404'],
    [503, 'it answered 503'],
  ])('that answers with %i: %s', async (status, fault) => {
    const address = await httpServer((url) => (url === '/healthz' ? status : 500));
    expect(await ask(probeHttp, poolOf({ http: `http://${address}` }, 'http'), '/healthz')).toBe(fault);
  });

  test('that is silent is not well', async () => {
    const service = await startUpstream();
    undo.push(service.close);
    const pool = poolOf({ http: `http://127.0.0.1:${service.port}` }, 'http');
    expect(await ask(probeHttp, pool, '/', 100)).toBe('ABORT_ERR');
  });
});

describe('a WebSocket service', () => {
  test('is well if it shakes hands and answers a ping, whatever it says before', async () => {
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1', path: '/live' });
    await once(server, 'listening');
    undo.push(() => new Promise((resolve) => server.close(resolve)));
    server.on('connection', (socket) => socket.send('x'.repeat(100_000)));
    const { port } = server.address() as { port: number };
    const pool = poolOf({ websocket: `ws://127.0.0.1:${port}` }, 'websocket');
    expect(await ask(probeWebSocket, pool, '/live')).toBeUndefined();
    expect(await ask(probeWebSocket, pool, '/other')).toBe('UPSTREAM_INVALID');
    expect(await ask(probeWebSocket, pool)).toBe('UPSTREAM_INVALID');
  });

  test('with a wrong Accept is not well', async () => {
    const service = await startUpstream(async function onWire(wire) {
      await wire.until(() => wire.head !== undefined, 'a handshake');
      wire.write(switching(wire.head ?? '').replace(/Accept: ./, 'Accept: *'));
    });
    undo.push(service.close);
    const pool = poolOf({ websocket: `ws://127.0.0.1:${service.port}` }, 'websocket');
    expect(await ask(probeWebSocket, pool)).toBe('UPSTREAM_INVALID');
  });

  test('that answers no ping is not well', async () => {
    const service = await startWebSocket((wire) => {
      wire.polite = false;
      wire.socket.on('end', () => wire.socket.destroy());
    });
    undo.push(service.close);
    const pool = poolOf({ websocket: `ws://127.0.0.1:${service.port}` }, 'websocket');
    expect(await ask(probeWebSocket, pool, '/', 200)).toBe('UPSTREAM_LOST');
  });
});

test.each([
  ['websocket', probeWebSocket],
  ['http', probeHttp],
] as const)('a service on a unix socket is asked as localhost: %s', async (kind, probe) => {
  const path = await socketPath();
  const hosts: unknown[] = [];
  const server = createServer(({ headers }, response) => {
    hosts.push(headers.host);
    response.end();
  });
  new WebSocketServer({ server }).on('connection', (_socket, { headers }) => hosts.push(headers.host));
  const { close } = await listenAt(path, server);
  const pool = poolOf({ [kind]: `unix:${path}` }, kind);
  expect(await ask(probe, pool)).toBeUndefined();
  expect(hosts).toEqual(['localhost']);
  await close();
  expect(await ask(probe, pool)).toBe('UPSTREAM_REFUSED');
});

test('no check is begun once the pool is closed', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  undo.push(() => vi.useRealTimers());
  const { context, dialled } = surroundings();
  const health = { every: '10s', within: '1s', after: 2 };
  const pool = poolOf({ tcp: '10.0.0.1:5432', health }, 'tcp', context);
  await vi.advanceTimersByTimeAsync(5_000);
  expect(dialled).toEqual(['10.0.0.1:5432']);
  pool.close();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(dialled).toEqual(['10.0.0.1:5432']);
});

test('checks go on at their pace, take an endpoint out, let it back, and end with the pool', async () => {
  let status = 500;
  let asked = 0;
  const address = await httpServer(() => {
    asked += 1;
    return status;
  });
  const health = { every: '20ms', within: '1s', after: 2 };
  const pool = poolOf({ http: `http://${address}`, health }, 'http');
  const isWell = () => pool.endpoints[0]?.isWell(performance.now());
  expect(isWell()).toBe(true);
  await eventually(() => isWell() === false);
  expect(asked).toBeGreaterThanOrEqual(2);
  status = 200;
  await eventually(() => isWell() === true);
  const before = census();
  pool.close();
  const last = asked;
  await new Promise((resolve) => setTimeout(resolve, 60));
  expect(asked - last).toBeLessThanOrEqual(1);
  expect(census().Timeout ?? 0).toBeLessThanOrEqual(before.Timeout ?? 0);
});

describe('a service over HTTP/2', () => {
  test.each([
    ['chosen through TLS', 'auto', false],
    ['without TLS', 'on', true],
  ] as const)('%s is asked in it', async (_, mode, isPlain) => {
    const paths: unknown[] = [];
    const { url } = await http2Peer(
      ({ stream, headers }) => {
        paths.push(headers[':path']);
        stream.respond({ ':status': headers[':path'] === '/well' ? 204 : 503 });
        stream.write('and so on');
      },
      { mode, isPlain },
    );
    const target = url.replace('localhost', '127.0.0.1');
    const pool = poolOf(
      { tls: { verify: 'off' }, poll: { target, http2: mode, poll: { path: '/' } } },
      'poll',
    );
    expect(await ask(probeHttp, pool, '/well')).toBeUndefined();
    expect(await ask(probeHttp, pool, '/ill')).toBe('it answered 503');
    expect(paths).toEqual(['/well', '/ill']);
  });
});
