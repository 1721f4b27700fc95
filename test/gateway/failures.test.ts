import crypto from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type ServerResponse } from 'node:http';
import { syncBuiltinESMExports } from 'node:module';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { Revocations } from '../../src/admission/revocations.ts';
import { ERROR_CODES, type ErrorCode, GatewayError } from '../../src/errors.ts';
import type { LimitHit } from '../../src/limit-hit.ts';
import { TCP_PROTOCOL } from '../../src/tcp-protocol/types.ts';
import { startFailing } from '../support/failing.ts';
import { startEcho, type Upstream } from '../support/faulty.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { certificate, open as openListener } from '../support/listener.ts';
import { PUSH_SECRET, startPushing } from '../support/push.ts';
import { BINARY, flood, frame, handshake, open, say, TEXT, type Wire } from '../support/raw.ts';
import { listenAt } from '../support/sockets.ts';
import { ISSUER, mint, SECRET, signingKey } from '../support/tokens.ts';

/** Every row of the failure table, provoked in a whole gateway and seen by its peers. */

let gateway: TestGateway;
let echo: Upstream;
let stop: () => Promise<void>;

beforeAll(async () => {
  ({ gateway, echo, stop } = await startFailing());
});
afterAll(() => stop());

const NOW_S = Math.floor(Date.now() / 1000);
const HOUR_S = 3600;
const HS = signingKey('HS256');
const ES = signingKey('ES256');

function token(changes: object = {}): string {
  return mint(HS, { exp: NOW_S + HOUR_S, ...changes });
}

const BEARER = { Authorization: `Bearer ${token()}` };

interface Refused {
  readonly status: number;
  /** Close code on a route with `refuse: close`. */
  readonly close: number;
  readonly path: string;
  readonly send?: Record<string, string | string[] | undefined>;
  readonly headers?: Record<string, unknown>;
  /** Upgrades that go before it, and stay open. */
  readonly after?: number;
  /** The limit that its sentence names. */
  readonly limit?: LimitHit;
  /** In place of the table's. */
  readonly sentence?: string;
}

const unauthorised = (rest = '') => ({ 'www-authenticate': `Bearer realm="127.0.0.1"${rest}` });
const invalidToken = 'error="invalid_token"';

/** Refused before the 101, on a route that was found. */
const REFUSED: readonly (Refused & { readonly code: ErrorCode })[] = [
  {
    code: 'BAD_REQUEST',
    ...{ status: 400, close: 1002, path: 'token?access_token=x', send: BEARER },
    headers: unauthorised(', error="invalid_request", error_description="More than one token"'),
  },
  {
    code: 'ORIGIN_REFUSED',
    ...{ status: 403, close: 3003, path: 'origin', send: { Origin: 'https://evil.test' } },
  },
  {
    code: 'PROTOCOL_UNKNOWN',
    ...{ status: 400, close: 1002, path: 'protocol' },
    send: { Origin: 'http://127.0.0.1', 'Sec-WebSocket-Protocol': 'mqtt' },
  },
  { code: 'ADDRESS_REFUSED', status: 403, close: 3003, path: 'address' },
  {
    code: 'FORBIDDEN',
    ...{ status: 403, close: 3003, path: 'token', send: BEARER },
    headers: unauthorised(', error="insufficient_scope", scope="chat"'),
  },
  { code: 'TARGET_REFUSED', status: 403, close: 3003, path: 'free?address=db:2' },
  {
    code: 'TARGET_MALFORMED',
    ...{ status: 400, close: 1008, path: 'free?address=db' },
    sentence: 'The target is missing or malformed: ?address=host:port is expected.',
  },
  { code: 'TARGET_FIXED', status: 400, close: 1008, path: 'fixed?address=db:2' },
  { code: 'TOKEN_MISSING', status: 401, close: 3000, path: 'token', headers: unauthorised() },
  {
    code: 'TOKEN_INVALID',
    ...{ status: 401, close: 3000, path: 'token', send: { Authorization: `Bearer ${token()}x` } },
    headers: unauthorised(`, ${invalidToken}`),
  },
  {
    code: 'TOKEN_EXPIRED',
    ...{ status: 401, close: 3000, path: `token?access_token=${token({ exp: NOW_S - HOUR_S })}` },
    headers: unauthorised(`, ${invalidToken}, error_description="The token has expired"`),
  },
  {
    code: 'TICKET_INVALID',
    ...{ status: 401, close: 3000, path: 'ticket?ticket=x' },
    headers: unauthorised(`, ${invalidToken}, error_description="The ticket is not valid"`),
  },
  {
    code: 'RATE_LIMITED',
    ...{ status: 429, close: 1008, path: 'rate', after: 1 },
    headers: {
      'retry-after': '1800',
      'ratelimit-policy': '"upgrades-per-route";q=1;w=1800',
      ratelimit: '"upgrades-per-route";r=0;t=1800',
    },
    limit: { limit: 'upgrades', per: 'route' },
  },
  {
    code: 'TOO_MANY_CONNECTIONS',
    ...{ status: 429, close: 1013, path: 'places', after: 1, headers: { 'retry-after': '5' } },
    limit: { limit: 'connections', per: 'address' },
  },
  { code: 'UPSTREAM_REFUSED', status: 502, close: 1014, path: 'dead' },
  { code: 'UPSTREAM_LOST', status: 502, close: 1014, path: 'hasty' },
  { code: 'UPSTREAM_INVALID', status: 502, close: 1014, path: 'wrong' },
  { code: 'UPSTREAM_TIMEOUT', status: 504, close: 1014, path: 'silent' },
  {
    code: 'NO_HEALTHY_UPSTREAM',
    ...{ status: 503, close: 1012, path: 'dead2', headers: { 'retry-after': '5' } },
  },
  {
    code: 'KEYS_UNAVAILABLE',
    ...{ status: 503, close: 1013, path: 'keys', send: { Authorization: `Bearer ${mint(ES)}` } },
    headers: { 'retry-after': '5' },
  },
];

async function provoke(prefix: string, { path, send, after = 0 }: Refused): Promise<Wire> {
  for (let i = 0; i < after; i++) await open(gateway.port, `/${prefix}/${path}`);
  return say(gateway.port, handshake(`/${prefix}/${path}`, send));
}

/** The rows a test has seen; the last one asks for all of them. */
const seen = new Set<ErrorCode>();

async function expectClose(
  wire: Wire,
  code: ErrorCode,
  close: number,
  details: Pick<Ended, 'limit' | 'sentence'> = {},
): Promise<void> {
  expect(await wire.ended()).toEqual({ code: close, reason: new GatewayError(code, details).message });
  seen.add(code);
}

/** What every refusal is over HTTP. */
async function expectRefusal(
  wire: Wire,
  code: ErrorCode,
  status: number,
  headers: object = {},
  details: Pick<Refused, 'limit' | 'sentence'> = {},
): Promise<void> {
  const answer = await wire.answer();
  expect(answer).toMatchObject({
    status,
    body: `${code}: ${new GatewayError(code, details).message}\n`,
    headers: {
      connection: expect.stringMatching(/^close/),
      'content-type': 'text/plain; charset=utf-8',
      ...headers,
    },
  });
  await wire.ended();
  expect(wire.end).toBe('fin');
  seen.add(code);
}

describe('before the 101', () => {
  test.each(REFUSED)('answers $status for $code, and ends the connection', async (row) => {
    using wire = await provoke('http', row);
    await expectRefusal(wire, row.code, row.status, row.headers, row);
    const line = await gateway.logged(
      ({ error, route }) => error === row.code && `${route}`.startsWith('http'),
    );
    expect(line.status).toBe(row.status);
  });

  test.each(REFUSED)('closes with $close for $code where refusals are to be seen by pages', async (row) => {
    using wire = await provoke('close', row);
    await expectClose(wire, row.code, row.close, { limit: row.limit, sentence: row.sentence });
    expect(wire.end).toBe('fin');
  });

  test('names no token in the 101 that a refusal by close needs', async () => {
    const secret = token({ exp: NOW_S - HOUR_S });
    const offered = ['bearer', secret, `authorization.bearer.${secret}`, 'chat'];
    for (const protocols of [offered.slice(0, 2), offered.slice(2), [secret], offered.slice(2, 3)]) {
      using wire = await say(
        gateway.port,
        handshake('/close/token', { 'Sec-WebSocket-Protocol': protocols.join(', ') }),
      );
      const named = (await wire.answer()).headers['sec-websocket-protocol'];
      expect([undefined, 'bearer', 'chat']).toContain(named);
      expect(await wire.ended()).toMatchObject({
        code: expect.toSatisfy((code) => code === 3000 || code === 1002),
      });
    }
  });

  test.each([
    ['NO_ROUTE', 404, handshake('/nowhere'), {}],
    ['UPGRADE_NOT_SERVED', 404, handshake('/plain'), {}],
    [
      'UPGRADE_REQUIRED',
      426,
      handshake('/http/open', { 'Sec-WebSocket-Version': '8' }),
      { 'sec-websocket-version': '13' },
    ],
    [
      'UPGRADE_REQUIRED',
      426,
      'GET /http/open HTTP/1.1\r\nHost: localhost\r\n\r\n',
      { 'sec-websocket-version': '13', upgrade: 'websocket' },
    ],
    ['METHOD_NOT_ALLOWED', 405, handshake('/http/open').replace('GET', 'POST'), { allow: 'GET' }],
    ['HEADERS_TOO_LARGE', 431, handshake('/http/open', { 'X-Long': 'x'.repeat(20_000) }), {}],
  ] as const)('answers %s with %i, whatever the routes say', async (code, status, bytes, headers) => {
    using wire = await say(gateway.port, bytes);
    await expectRefusal(wire, code, status, headers);
  });

  test('answers 408 for REQUEST_TIMEOUT where the head does not come in time', async () => {
    // The deadline is the listener's own, ten seconds: here it is one tenth of one.
    const listener = await openListener({}, { headers: 100, check: 20 });
    using wire = await say(listener.address.port, 'GET /http/open HTTP/1.1\r\nHost: localhost\r\n');
    await expectRefusal(wire, 'REQUEST_TIMEOUT', 408);
  });

  test('answers 503 for GATEWAY_FULL, whatever the routes say', async () => {
    await using full = await startGateway(
      `limits: { connections: 1 }
routes: [{ name: a, match: { path: / }, auth: none, upstream: { websocket: "ws://127.0.0.1:${echo.port}" } }]`,
    );
    using _first = await open(full.port, '/');
    using wire = await say(full.port, handshake('/'));
    await expectRefusal(wire, 'GATEWAY_FULL', 503, { 'retry-after': '5' });
  });

  test.each([
    ['TOO_MANY_REQUESTS', 429, '{ perClient: 1 }', 'address'],
    ['TOO_MANY_REQUESTS', 429, '[{ max: 1, per: address }]', 'address'],
    ['ROUTE_FULL', 503, '{ max: 1 }', 'route'],
    ['ROUTE_FULL', 503, '{ max: 1, per: route }', 'route'],
  ] as const)(
    'answers plain requests beyond their number with %s, %i, until one is done',
    async (code, status, requests, per) => {
      const asked: ServerResponse[] = [];
      const upstream = createServer((_request, response) => asked.push(response)).listen(0, '127.0.0.1');
      onTestFinished(() => void upstream.close());
      await once(upstream, 'listening');
      const { port } = upstream.address() as AddressInfo;
      await using busy = await startGateway(
        `routes: [{ name: a, match: { path: / }, auth: none, limits: { requests: ${requests} }, upstream: { http: "http://127.0.0.1:${port}" } }]`,
      );
      const get = 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n';
      using first = await say(busy.port, get);
      await expect.poll(() => asked.length).toBe(1);
      using second = await say(busy.port, get);
      const headers = { 'retry-after': '1', ratelimit: `"requests-per-${per}";r=0` };
      await expectRefusal(second, code, status, headers, { limit: { limit: 'requests', per } });
      asked[0]?.end();
      expect((await first.answer()).status).toBe(200);
      using third = await say(busy.port, get);
      await expect.poll(() => asked.length).toBe(2);
      asked[1]?.end();
      expect((await third.answer()).status).toBe(200);
    },
  );

  test.each([
    ['a handshake', (at: string) => `{ websocket: "ws://${at}" }`],
    [
      'what opens a session',
      (at: string) =>
        `{ poll: { target: "http://${at}", open: { path: /o, session: "json:/id" }, poll: { path: "/{session}" } } }`,
    ],
  ])('a service’s own 404 to %s is UPSTREAM_NOT_FOUND, no route that is missing', async (_, upstreamAt) => {
    const service = createServer((_request, response) => void response.writeHead(404).end('no such room'));
    await listenAt({ port: 0, host: '127.0.0.1' }, service);
    const upstream = upstreamAt(`127.0.0.1:${(service.address() as AddressInfo).port}`);
    await using fronting = await startGateway(`routes:
  - { name: a, match: { path: /http }, auth: none, upstream: ${upstream} }
  - { name: b, match: { path: /close }, auth: none, refuse: close, upstream: ${upstream} }`);
    using wire = await say(fronting.port, handshake('/http'));
    expect(await wire.answer()).toMatchObject({ status: 404, body: 'no such room' });
    using closed = await say(fronting.port, handshake('/close'));
    await expectClose(closed, 'UPSTREAM_NOT_FOUND', 1008);
    const line = await fronting.logged(({ route }) => route === 'a');
    expect(line).toMatchObject({
      status: 404,
      error: 'UPSTREAM_NOT_FOUND',
      detail: 'the upstream answered 404',
    });
  });

  test('answers 400 for TLS_REQUIRED to a client that speaks plain HTTP where TLS is spoken', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'sallyport-failures-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    const { cert, key } = await certificate(folder, ['app.example.com']);
    await using secure = await startGateway(
      `listeners: [{ host: 127.0.0.1, port: 0, tls: { certificates: [{ cert: ${cert}, key: ${key} }] } }]
routes: [{ name: a, match: { path: / }, auth: none, upstream: { websocket: "ws://127.0.0.1:${echo.port}" } }]`,
    );
    using wire = await say(secure.port, handshake('/'));
    await expectRefusal(wire, 'TLS_REQUIRED', 400);
    await secure.logged(({ reasons }) => (reasons as { plain_http: number })?.plain_http === 1);
  });

  test('answers 421 for MISDIRECTED to a name that leads to this machine by somebody else’s doing', async () => {
    const site = `match: { path: /site }, auth: none, upstream: { http: "http://127.0.0.1:${echo.port}", upgrades: off }`;
    const tunnel = `match: { path: /any }, auth: none, upstream: { websocket: "ws://127.0.0.1:${echo.port}" }`;
    await using local = await startGateway(`listeners: [{ host: 127.0.0.1, port: 0 }]
routes: [{ name: a, ${tunnel} }, { name: b, ${site} }]`);
    const rebound = { Host: 'rebound.example', Origin: 'http://rebound.example' };
    using upgrade = await say(local.port, handshake('/any', rebound));
    await expectRefusal(upgrade, 'MISDIRECTED', 421);
    using page = await say(local.port, 'GET /site HTTP/1.1\r\nHost: rebound.example\r\n\r\n');
    await expectRefusal(page, 'MISDIRECTED', 421);
  });

  test('answers 403 for CERTIFICATE_REFUSED to whom no certificate speaks for', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'sallyport-failures-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    const { cert, key } = await certificate(folder, ['app.example.com']);
    const tls = `{ certificates: [{ cert: ${cert}, key: ${key} }], clientCa: ${cert} }`;
    await using asking =
      await startGateway(`listeners: [{ host: 127.0.0.1, port: 0 }, { host: 127.0.0.1, port: 0, tls: ${tls} }]
routes: [{ name: a, match: { path: / }, auth: { certificate: {} }, upstream: { websocket: "ws://127.0.0.1:${echo.port}" } }]`);
    using wire = await say(asking.port, handshake('/'));
    await expectRefusal(wire, 'CERTIFICATE_REFUSED', 403);
  });

  test('answers 503 for AUTH_UNAVAILABLE where the service that knows the clients is not there', async () => {
    const external = 'external: { url: "http://127.0.0.1:1/", forward: [x-user] }';
    await using asking = await startGateway(`listeners: [{ host: 127.0.0.1, port: 0 }]
routes: [{ name: a, match: { path: / }, auth: { ${external} }, upstream: { websocket: "ws://127.0.0.1:${echo.port}" } }]`);
    using wire = await say(asking.port, handshake('/'));
    await expectRefusal(wire, 'AUTH_UNAVAILABLE', 503);
  });

  test('answers 503 for STORE_UNAVAILABLE where the store that keeps the limits is not there', async () => {
    const limited = 'auth: none, limits: { upgrades: { rate: 5/s, per: route } }';
    await using sharing = await startGateway(`listeners: [{ host: 127.0.0.1, port: 0 }]
store: { redis: "redis://127.0.0.1:1", onFailure: refuse }
routes: [{ name: a, match: { path: / }, ${limited}, upstream: { websocket: "ws://127.0.0.1:${echo.port}" } }]`);
    using wire = await say(sharing.port, handshake('/'));
    await expectRefusal(wire, 'STORE_UNAVAILABLE', 503);
  });

  test('answers 500 for INTERNAL, and logs what nobody foresaw', async () => {
    // The machine runs out of randomness behind each request's id: no key for an upstream can be made.
    const { randomUUID } = crypto;
    let drawn = 0;
    const broken = vi.spyOn(crypto, 'randomUUID').mockImplementation(() => {
      if (drawn++ % 2 === 1) throw new Error('no entropy');
      return randomUUID();
    });
    const bytes = (prefix: string) => HANDSHAKES[prefix] as string;
    syncBuiltinESMExports();
    try {
      using refused = await say(gateway.port, bytes('http'));
      await expectRefusal(refused, 'INTERNAL', 500);
      using closed = await say(gateway.port, bytes('close'));
      await expectClose(closed, 'INTERNAL', 1011);
      // The upstream had been reached already.
      for (const wire of echo.wires.slice(-2)) await wire.ended();
    } finally {
      broken.mockRestore();
      syncBuiltinESMExports();
    }
    const line = await gateway.logged(({ error }) => error === 'INTERNAL');
    expect(line).toMatchObject({ level: 'error', err: { cause: { message: 'no entropy' } } });
  });
});

const HANDSHAKES: Record<string, string> = {
  http: handshake('/http/open'),
  close: handshake('/close/open'),
};

interface Ended {
  readonly code: ErrorCode;
  readonly close: number;
  readonly path: string;
  /** What a client does to bring it about. */
  readonly act?: (wire: Wire) => void;
  /** The limit that its sentence names. */
  readonly limit?: LimitHit;
  /** In place of the table's. */
  readonly sentence?: string;
}

const ENDED: readonly Ended[] = [
  {
    code: 'RATE_LIMITED',
    close: 1008,
    path: 'metered',
    limit: { limit: 'messages', per: 'connection' },
    act: (wire) => wire.write(Buffer.concat([frame(TEXT, 'a'), frame(TEXT, 'b')])),
  },
  {
    code: 'MESSAGE_TOO_BIG',
    close: 1009,
    path: 'small',
    sentence: 'The message is too big: at most 1024 bytes.',
    act: (wire) => wire.write(frame(TEXT, '', { length: 1025 })),
  },
  {
    code: 'SERVICE_REFUSED',
    close: 3003,
    path: 'forbidding',
    sentence: 'The service answered 403 to a poll.',
  },
  { code: 'PROTOCOL_ERROR', close: 1002, path: 'http/open', act: (wire) => wire.write(frame(3)) },
  {
    code: 'INVALID_PAYLOAD',
    close: 1007,
    path: 'http/open',
    act: (wire) => wire.sendClose(1000, Buffer.from([0xff])),
  },
  { code: 'UNSUPPORTED_DATA', close: 1003, path: 'tcp', act: (wire) => wire.send(TEXT, 'text') },
  { code: 'UPSTREAM_LOST', close: 1014, path: 'lossy', act: (wire) => wire.send(TEXT, 'go') },
  { code: 'UPSTREAM_TIMEOUT', close: 1014, path: 'mute' },
  { code: 'UPSTREAM_OUTAGE', close: 1013, path: 'outage' },
  {
    code: 'PEER_SILENT',
    close: 1001,
    path: 'kept',
    act: (wire) => {
      wire.polite = false;
    },
  },
  { code: 'PEER_STALLED', close: 1013, path: 'deaf', act: flood },
  { code: 'IDLE', close: 1001, path: 'idle' },
  { code: 'LIFETIME', close: 1001, path: 'old' },
];

describe('after the 101', () => {
  test.each(ENDED)('closes with $close for $code', async ({ code, close, path, act, limit, sentence }) => {
    using wire = await open(gateway.port, `/${path}`);
    act?.(wire);
    await expectClose(wire, code, close, { limit, sentence });
    const line = await gateway.logged(({ error, msg }) => error === code && msg === 'session ended');
    expect(line.close).toBe(close);
  });

  test('closes with 3000 when the token expires', async () => {
    const short = token({ exp: Date.now() / 1000 + 2, scope: 'chat' });
    using wire = await open(gateway.port, '/http/token', { Authorization: `Bearer ${short}` });
    await expectClose(wire, 'TOKEN_EXPIRED', 3000);
  });

  test('tells the upstream 1001 for CLIENT_LOST', async () => {
    using wire = await open(gateway.port, '/http/open');
    const upstream = echo.wires.at(-1) as Wire;
    wire.socket.resetAndDestroy();
    await expectClose(upstream, 'CLIENT_LOST', 1001);
  });

  test('closes with 1001 for GOING_AWAY when it stops, and answers 503 for DRAINING meanwhile', async () => {
    await using echo = await startEcho();
    await using stopping = await startGateway(
      `routes: [{ name: a, match: { path: / }, auth: none, upstream: { websocket: "ws://127.0.0.1:${echo.port}" } }]`,
    );
    using wire = await open(stopping.port, '/');
    wire.polite = false;
    const stopped = stopping.close();
    using late = await say(stopping.port, handshake('/'));
    await expectRefusal(late, 'DRAINING', 503, { 'retry-after': '5' });
    await wire.until(() => wire.close !== undefined, 'a Close');
    wire.polite = true;
    wire.socket.end();
    await expectClose(wire, 'GOING_AWAY', 1001);
    await stopped;
  });
});

test('answers 503 for DRAINING, too, where an upstream is still asked when it stops', async () => {
  const service = createServer();
  await once(service.listen(0, '127.0.0.1'), 'listening');
  onTestFinished(() => void service.close());
  const { port } = service.address() as AddressInfo;
  await using stopping = await startGateway(
    `routes: [{ name: a, match: { path: / }, auth: none, upstream: { post: { target: "http://127.0.0.1:${port}", open: { path: /open }, path: /x } } }]`,
  );
  using wire = await say(stopping.port, handshake('/'));
  await once(service, 'request');
  const stopped = stopping.close();
  const { message } = new GatewayError('DRAINING');
  expect(await wire.answer()).toMatchObject({ status: 503, body: `DRAINING: ${message}\n` });
  await stopped;
});

test('the admin listener answers 403 for HOST_REFUSED', async () => {
  const lines = ['GET /metrics HTTP/1.1', 'Host: rebound.example.com', 'Connection: close'];
  using wire = await say(gateway.gateway.adminAddress?.port ?? 0, `${lines.join('\r\n')}\r\n\r\n`);
  const { message } = new GatewayError('HOST_REFUSED');
  expect(await wire.answer()).toMatchObject({ status: 403, body: `HOST_REFUSED: ${message}\n` });
  seen.add('HOST_REFUSED');
});

describe('the admin listener, asked by a service,', () => {
  const MIB = 1024 * 1024;
  const AUTHORIZED = { authorization: `Bearer ${PUSH_SECRET}`, 'content-type': 'text/plain' };

  async function expectAnswer(answer: Response, code: ErrorCode, status: number): Promise<void> {
    expect([answer.status, await answer.text()]).toEqual([
      status,
      `${code}: ${new GatewayError(code).message}\n`,
    ]);
    seen.add(code);
  }

  test('answers 403 for ADMIN_LOCKED where it has no secret', async () => {
    const url = `http://127.0.0.1:${gateway.gateway.adminAddress?.port}/publish`;
    await expectAnswer(await fetch(url, { method: 'POST', body: '{}' }), 'ADMIN_LOCKED', 403);
  });

  test('answers 401 for SECRET_REFUSED, 410 for CONNECTION_GONE and 413 for PUSH_TOO_BIG', async () => {
    const { ask } = await startPushing();
    await expectAnswer(await ask('/publish', { method: 'POST', headers: {} }), 'SECRET_REFUSED', 401);
    await expectAnswer(await ask('/connections/x'), 'CONNECTION_GONE', 410);
    const large = { method: 'POST', headers: AUTHORIZED, body: 'x'.repeat(MIB + 1) };
    await expectAnswer(await ask('/connections/x', large), 'PUSH_TOO_BIG', 413);
  });

  test('answers 413 for BODY_TOO_BIG', async () => {
    const body = 'x'.repeat(64 * 1024 + 1);
    const url = `http://127.0.0.1:${gateway.port}/.sallyport/refresh`;
    await expectAnswer(await fetch(url, { method: 'POST', body }), 'BODY_TOO_BIG', 413);
  });

  test('answers 429 for PUSHES_FULL', async () => {
    const { connect, push } = await startPushing();
    const { id, client } = await connect();
    client.pause();
    let answer = await push(id, 'x'.repeat(MIB), '?wait=none');
    for (let more = 64; answer.status === 202 && more > 0; more--)
      answer = await push(id, 'x'.repeat(MIB), '?wait=none');
    await expectAnswer(answer, 'PUSHES_FULL', 429);
  });

  test('closes with 3000 for TOKEN_REVOKED; answers 404 for REVOCATION_UNKNOWN', async () => {
    const { gateway, ask } = await startPushing({
      more: `issuers: { main: { issuer: "${ISSUER}", audience: realtime, algorithms: [HS256], secret: "${SECRET}" } }`,
      routes: `  - { name: echo, match: { path: /echo }, auth: { issuer: main }, upstream: { websocket: "ws://127.0.0.1:${echo.port}" } }\n`,
    });
    using wire = await open(gateway.port, '/echo', { Authorization: `Bearer ${token({ jti: 'a' })}` });
    await ask('/revocations', { method: 'POST', headers: AUTHORIZED, body: '{"jti": "a"}' });
    await expectClose(wire, 'TOKEN_REVOKED', 3000);
    const undo = await ask('/revocations?jti=b', { method: 'DELETE', headers: AUTHORIZED });
    await expectAnswer(undo, 'REVOCATION_UNKNOWN', 404);
  });

  test('answers 400 for LOGOUT_REFUSED, in the words of OpenID Connect', async () => {
    const main = `issuer: "${ISSUER}", audience: realtime, algorithms: [HS256], secret: "${SECRET}"`;
    const { gateway } = await startPushing({
      more: `issuers: { main: { ${main}, logout: { clientId: app } } }`,
      routes: `  - { name: echo, match: { path: /echo }, auth: { issuer: main }, upstream: { websocket: "ws://127.0.0.1:${echo.port}" } }\n`,
    });
    const url = `http://127.0.0.1:${gateway.port}/.sallyport/logout`;
    const answer = await fetch(url, { method: 'POST', body: new URLSearchParams({ logout_token: token() }) });
    expect([answer.status, await answer.json()]).toEqual([
      400,
      { error: 'invalid_request', error_description: new GatewayError('LOGOUT_REFUSED').message },
    ]);
    seen.add('LOGOUT_REFUSED');
  });

  test('answers 503 for REVOCATIONS_FULL', async () => {
    const book = new Revocations();
    onTestFinished(() => book.close());
    const add = (index: number) =>
      book.add({ by: 'jti', value: `${index}`, at: 0, until: Date.now() + HOUR_S * 1000 });
    for (let index = 0; index < 100_000; index++) add(index);
    expect(() => add(100_000)).toThrow(expect.objectContaining({ code: 'REVOCATIONS_FULL', status: 503 }));
    seen.add('REVOCATIONS_FULL');
  });

  test('closes with 1008 for SESSION_KILLED', async () => {
    const { gateway, ask } = await startPushing({
      routes: `  - { name: echo, match: { path: /echo }, auth: none, upstream: { websocket: "ws://127.0.0.1:${echo.port}" } }\n`,
    });
    using wire = await open(gateway.port, '/echo');
    await ask('/sessions?route=echo', { method: 'DELETE', headers: AUTHORIZED });
    await expectClose(wire, 'SESSION_KILLED', 1008);
  });

  test('answers 409 for PUSH_REFUSED', async () => {
    const { gateway, ask } = await startPushing({
      routes: `  - { name: echo, match: { path: /echo }, auth: none, upstream: { websocket: "ws://127.0.0.1:${echo.port}" } }\n`,
    });
    const opened = new Promise<string>((resolve) => gateway.gateway.on('session', ({ id }) => resolve(id)));
    using _wire = await open(gateway.port, '/echo');
    const message = { method: 'POST', headers: AUTHORIZED, body: 'x' };
    await expectAnswer(await ask(`/connections/${await opened}`, message), 'PUSH_REFUSED', 409);
  });
});

describe('a client with a resume token', () => {
  const path = `/?resume=${'x'.repeat(22)}`;

  async function startLingering() {
    const post = '{ target: "http://127.0.0.1:1", linger: { token: "query:resume" } }';
    const lingering = await startGateway(
      `routes: [{ name: r, match: { path: / }, auth: none, upstream: { post: ${post} } }]`,
    );
    onTestFinished(() => lingering.close());
    return lingering;
  }

  test('is answered 410 for RESUME_GONE', async () => {
    const { port } = await startLingering();
    using wire = await say(port, handshake(`${path}.7`));
    await expectRefusal(wire, 'RESUME_GONE', 410);
  });

  test('is closed with 4409 for RESUMED_ELSEWHERE', async () => {
    const { port } = await startLingering();
    using first = await open(port, path);
    using _second = await open(port, path);
    await expectClose(first, 'RESUMED_ELSEWHERE', 4409);
  });
});

describe('a client of a TCP service', () => {
  async function startTcp(upstream: string, path = '/{host}:{port}') {
    const tcp = await startGateway(
      `routes: [{ name: r, match: { path: "${path}" }, auth: none, upstream: { ${upstream} } }]`,
    );
    onTestFinished(() => tcp.close());
    return tcp;
  }

  test.each([
    ['TARGET_REFUSED', 403, '/127.0.0.1:22'],
    ['TARGET_MALFORMED', 400, '/127.0.0.1:x'],
  ] as const)('is answered %s', async (code, status, path) => {
    const { port } = await startTcp('tcp: "{path.host}:{path.port}", allow: "*.db.test:5432"');
    using wire = await say(port, handshake(path));
    await expectRefusal(wire, code, status);
  });

  test('is answered TARGET_FIXED', async () => {
    const { port } = await startTcp('tcp: "127.0.0.1:9"', '/');
    using wire = await say(port, handshake('/?address=a.db.test:5432'));
    await expectRefusal(wire, 'TARGET_FIXED', 400);
  });

  test('is closed with 1008 for CREDIT_EXCEEDED', async () => {
    const service = createTcpServer((socket) => void socket.on('error', () => {}).pause());
    await listenAt({ port: 0, host: '127.0.0.1' }, service);
    const { port } = await startTcp(`tcp: "127.0.0.1:${(service.address() as AddressInfo).port}"`, '/');
    using wire = await open(port, '/', { 'Sec-WebSocket-Protocol': TCP_PROTOCOL });
    // The systems in between take some of it, for which it is given credit; beyond that it must wait.
    const megabyte = Buffer.concat(Array.from({ length: 16 }, () => frame(BINARY, Buffer.alloc(65_537))));
    const write = () => {
      while (wire.close === undefined && wire.socket.write(megabyte));
    };
    wire.socket.on('drain', write);
    write();
    await wire.until(() => wire.close !== undefined, 'a Close');
    wire.socket.end();
    await expectClose(wire, 'CREDIT_EXCEEDED', 1008);
  });
});

test('every row of the table was seen by a test above', () => {
  expect(ERROR_CODES.filter((code) => !seen.has(code))).toEqual([]);
});
