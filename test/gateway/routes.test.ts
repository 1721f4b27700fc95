import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Application, startApplication } from '../support/application.ts';
import { metric } from '../support/census.ts';
import { startUpstream, type Upstream } from '../support/faulty.ts';
import { freshToken, TOKEN_ENV, TOKEN_ISSUER } from '../support/fresh.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { certificate } from '../support/listener.ts';
import { BINARY, frame, handshake, open, say, TEXT } from '../support/raw.ts';

/** Which route takes a request of which kind, and what it does with it. */

let folder: string;
let app: Application;
let live: Application;
let secure: Application;
let lines: Upstream;
let board: Application;
let gateway: TestGateway;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sallyport-routes-'));
  const { cert, key } = await certificate(folder, ['localhost']);
  const https = createServer({ cert: await readFile(cert), key: await readFile(key) });
  app = await startApplication('app');
  live = await startApplication('live');
  secure = await startApplication('secure', https);
  lines = await startUpstream((wire) => wire.write('a line'));
  board = await startApplication('board');
  gateway = await startGateway(configOf(cert), TOKEN_ENV);
});
afterAll(async () => {
  await gateway.close();
  for (const service of [app, live, secure, lines, board]) await service.close();
  await rm(folder, { recursive: true });
});

function configOf(ca: string): string {
  const at = (service: { port: number }) => `127.0.0.1:${service.port}`;
  return `
${TOKEN_ISSUER}
routes:
  - { name: whole, match: { path: /whole/* }, auth: none, upstream: { http: "http://${at(app)}/base/?key=k" } }
  - name: guarded
    match: { path: /guarded/* }
    origins: [https://app.test]
    auth: { issuer: main, token: [cookie:session], forward: { x-user: sub } }
    upstream: { http: "http://${at(app)}" }
  - { name: tls, match: { path: /tls }, auth: none, upstream: { http: "https://${at(secure)}", tls: { ca: "${ca}", servername: localhost } } }
  - { name: split, match: { path: /split }, auth: none, upstream: { http: "http://${at(app)}", websocket: "ws://${at(live)}" } }
  - { name: lined, match: { path: /lined }, auth: none, upstream: { http: "http://${at(app)}", tcp: "${at(lines)}" } }
  - { name: polled, match: { path: /polled }, auth: none, timeouts: { close: 200ms }, upstream: { http: "http://${at(app)}", poll: { target: "http://${at(board)}", poll: { path: /news } } } }
  - { name: pages, match: { path: /two/* }, auth: none, upstream: { http: "http://${at(app)}", upgrades: off } }
  - { name: sockets, match: { path: /two/live }, auth: none, upstream: { websocket: "ws://${at(live)}" } }
  - { name: limited, match: { path: /limited }, auth: none, limits: { upgrades: { rate: 3/h, per: route } }, upstream: { http: "http://${at(app)}" } }
  - { name: placed, match: { path: /placed }, auth: none, limits: { connections: { max: 1, per: route } }, upstream: { http: "http://${at(app)}" } }
  - name: metered
    match: { path: /metered }
    auth: none
    limits: { messageSize: 100B, messages: { rate: 1/h, per: route, over: close } }
    timeouts: { close: 200ms }
    upstream: { http: "http://${at(app)}" }
  - { name: told, match: { path: /told }, auth: none, addresses: { deny: [127.0.0.0/8] }, refuse: close, upstream: { http: "http://${at(app)}" } }
`;
}

async function page(path: string, headers: Record<string, string> = {}) {
  const response = await fetch(`http://127.0.0.1:${gateway.port}${path}`, { headers });
  return { status: response.status, body: await response.text(), headers: response.headers };
}

/** The first message of a WebSocket. */
async function greeting(path: string, headers: Record<string, string> = {}): Promise<string> {
  using client = await open(gateway.port, path, headers);
  return (await client.message()).toString();
}

async function refusal(path: string, headers: Record<string, string> = {}) {
  using client = await say(gateway.port, handshake(path, headers));
  return await client.answer();
}

describe('a route to http alone', () => {
  test('serves pages and WebSockets of one service, by the same path and query', async () => {
    expect(await page('/whole/a%20b?x=1')).toMatchObject({
      status: 200,
      body: 'app page /base/whole/a%20b?key=k&x=1',
    });
    expect(await greeting('/whole/a%20b?x=1')).toBe('app socket /base/whole/a%20b?key=k&x=1');
    await gateway.logged(
      ({ msg, route, bridge }) => msg === 'session ended' && route === 'whole' && bridge === 'websocket',
    );
  });

  test('carries messages both ways', async () => {
    using client = await open(gateway.port, '/whole/');
    client.send(TEXT, 'hello');
    await client.until(() => client.frames.length === 2, 'an echo');
    expect(client.frames[1]?.payload.toString()).toBe('hello');
  });

  test('asks for the same cookie and origin for both kinds', async () => {
    const origin = { Origin: 'https://app.test' };
    const headers = { ...origin, Cookie: `session=${freshToken()}; theme=dark` };
    const foreign = { ...headers, Origin: 'https://evil.test' };
    expect([(await page('/guarded/', origin)).status, (await refusal('/guarded/', origin)).status]).toEqual([
      401, 401,
    ]);
    expect([(await page('/guarded/', foreign)).status, (await refusal('/guarded/', foreign)).status]).toEqual(
      [403, 403],
    );
    expect((await page('/guarded/', headers)).body).toBe('app page /guarded/');
    expect(await greeting('/guarded/', headers)).toBe('app socket /guarded/');
    for (const request of app.requests.slice(-2))
      expect(request.headers).toMatchObject({ 'x-user': 'alice', cookie: 'theme=dark' });
  });

  test('speaks TLS for both where the service does', async () => {
    expect((await page('/tls')).body).toBe('secure page /tls');
    expect(await greeting('/tls')).toBe('secure socket /tls');
  });
});

describe('a route with a bridge beside http', () => {
  test('takes pages to one service and WebSockets to another', async () => {
    expect((await page('/split')).body).toBe('app page /split');
    expect(await greeting('/split')).toBe('live socket /split');
  });

  test('takes WebSockets to a TCP service', async () => {
    expect((await page('/lined')).body).toBe('app page /lined');
    expect(await greeting('/lined')).toBe('a line');
  });

  test('takes WebSockets to a service that is polled', async () => {
    expect((await page('/polled')).body).toBe('app page /polled');
    expect(await greeting('/polled')).toBe('board page /news');
  });
});

describe('a route that serves one kind', () => {
  test('leaves the other one to later routes', async () => {
    expect((await page('/two/live')).body).toBe('app page /two/live');
    expect(await greeting('/two/live')).toBe('live socket /two/live');
  });

  test('refuses a WebSocket where only plain requests are served, and says so', async () => {
    expect(await refusal('/two/other')).toMatchObject({
      status: 404,
      body: 'UPGRADE_NOT_SERVED: This address takes no WebSocket handshakes.\n',
    });
    await gateway.logged(({ error, route }) => error === 'UPGRADE_NOT_SERVED' && route === 'pages');
    const metrics = await gateway.metrics();
    expect(
      metric(metrics, 'sallyport_upgrades_total', { route: 'pages', outcome: 'UPGRADE_NOT_SERVED' }),
    ).toBe(1);
  });

  test('refuses a plain request where only WebSockets are served, and says so', async () => {
    await using alone = await startGateway(`
routes:
  - { name: sockets, match: { path: /live }, auth: none, upstream: { websocket: "ws://127.0.0.1:${live.port}" } }`);
    const response = await fetch(`http://127.0.0.1:${alone.port}/live`);
    expect([response.status, await response.text()]).toEqual([
      426,
      'UPGRADE_REQUIRED: This address takes WebSocket handshakes (version 13) only.\n',
    ]);
    expect([...response.headers]).toEqual(
      expect.arrayContaining([
        ['upgrade', 'websocket'],
        ['sec-websocket-version', '13'],
      ]),
    );
    await alone.logged(({ error, route }) => error === 'UPGRADE_REQUIRED' && route === 'sockets');
    expect((await fetch(`http://127.0.0.1:${alone.port}/none`)).status).toBe(404);
  });
});

describe('the limits of a route', () => {
  test('count upgrades and plain requests together', async () => {
    expect((await page('/limited')).status).toBe(200);
    expect(await greeting('/limited')).toBe('app socket /limited');
    expect((await page('/limited')).status).toBe(200);
    expect((await page('/limited')).status).toBe(429);
    expect((await refusal('/limited')).status).toBe(429);
  });

  test('give places to WebSockets only', async () => {
    using client = await open(gateway.port, '/placed');
    expect((await refusal('/placed')).status).toBe(429);
    expect((await page('/placed')).status).toBe(200);
    client.sendClose(1000);
    await client.ended();
  });

  test('meet the messages of a WebSocket to an http service', async () => {
    using big = await open(gateway.port, '/metered');
    big.write(frame(BINARY, '', { length: 101 }));
    expect(await big.ended()).toMatchObject({ code: 1009 });
    using many = await open(gateway.port, '/metered');
    for (let i = 0; i < 2; i++) many.send(TEXT, 'x');
    expect(await many.ended()).toMatchObject({ code: 1008 });
  });
});

test('a refused WebSocket is told by a close code where the route says so, a plain request by its status', async () => {
  using client = await open(gateway.port, '/told');
  expect(await client.ended()).toMatchObject({ code: 3003 });
  expect((await page('/told')).status).toBe(403);
});
