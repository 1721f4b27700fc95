import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer as createHttpServer, type RequestListener, type Server } from 'node:http';
import { createServer, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';
import { type WebSocket, WebSocketServer } from 'ws';
import { eventually, metric } from '../support/census.ts';
import { startWebSocket } from '../support/faulty.ts';
import { startGateway } from '../support/gateway.ts';
import { within } from '../support/patience.ts';
import { BINARY, handshake, open, say, TEXT } from '../support/raw.ts';
import { listenAt, socketPath } from '../support/sockets.ts';

/** Services on unix sockets, of every kind, behind real gateways. */

function gatewayTo(upstream: string, rest = '') {
  return startGateway(`
routes:
  - { name: r, match: { path: /* }, auth: none, upstream: { ${upstream} }${rest} }`);
}

/** A server whose WebSockets say what they were asked for, then send back what comes. */
function echo(onRequest?: RequestListener): Server {
  const server = createHttpServer(onRequest);
  const webSockets = new WebSocketServer({ server });
  webSockets.on('connection', (socket: WebSocket, { url, headers }) => {
    socket.on('error', () => {}).on('message', (data) => socket.send(data));
    socket.send(`${url} ${headers.host}`);
  });
  return server;
}

async function answerOf(port: number, path: string, init?: RequestInit): Promise<string> {
  return (await fetch(`http://127.0.0.1:${port}${path}`, init)).text();
}

describe('a WebSocket service', () => {
  test('is joined, and called by its socket in the log and in metrics', async () => {
    const path = await socketPath();
    await listenAt(path, echo());
    await using gateway = await gatewayTo(`websocket: "unix:${path}"`);
    using client = await open(gateway.port, '/own?x=1');
    expect((await client.message()).toString()).toMatch(/^\/own\?x=1 /);
    client.send(TEXT, 'and back');
    await client.until(() => client.frames.length === 2, 'the echo');
    expect(client.frames[1]?.payload.toString()).toBe('and back');
    const target = `unix:${path}`;
    expect(await gateway.logged(({ msg }) => msg === 'session opened')).toMatchObject({ target });
    expect(metric(await gateway.metrics(), 'sallyport_upstream_sessions', { target })).toBe(1);
  });

  test('is asked for the path behind its socket', async () => {
    const path = await socketPath();
    await listenAt(path, echo());
    const to = `websocket: "unix:${path}:/rooms/{room}?k=v"`;
    await using gateway = await startGateway(`
routes: [{ name: r, match: { path: "/{room}" }, auth: none, upstream: { ${to} } }]`);
    using client = await open(gateway.port, '/blue?x=1');
    expect((await client.message()).toString()).toMatch(/^\/rooms\/blue\?k=v&x=1 /);
  });
});

test('an HTTP service gets plain requests, over connections that are used again, and upgrades', async () => {
  const path = await socketPath();
  const service = await listenAt(
    path,
    echo(async (request, response) => {
      response.end(`${request.method} ${request.url} ${await text(request)}`);
    }),
  );
  await using gateway = await gatewayTo(`http: "unix:${path}:/base"`);
  expect(await answerOf(gateway.port, '/a?x=1')).toBe('GET /base/a?x=1 ');
  expect(await answerOf(gateway.port, '/b', { method: 'POST', body: 'hello' })).toBe('POST /base/b hello');
  expect(service.count).toBe(1);
  expect(await gateway.logged(({ msg }) => msg === 'request served')).toMatchObject({
    target: `unix:${path}`,
  });
  using client = await open(gateway.port, '/live');
  expect((await client.message()).toString()).toMatch(/^\/base\/live /);
});

test('a service that is polled is asked as localhost', async () => {
  const path = await socketPath();
  const asked: string[] = [];
  let polls = 0;
  await listenAt(
    path,
    createHttpServer(async (request, response) => {
      asked.push(`${request.headers.host} ${request.method} ${request.url} ${await text(request)}`);
      if (request.url !== '/base/poll') response.writeHead(204).end();
      else if (++polls === 1) response.end('hello');
    }),
  );
  await using gateway = await gatewayTo(
    `poll: { target: "unix:${path}:/base", open: { path: /open }, poll: { path: /poll }, send: { path: /send } }`,
  );
  using client = await open(gateway.port, '/');
  expect((await client.message()).toString()).toBe('hello');
  client.send(TEXT, 'and up');
  await eventually(() => asked.some((line) => line.includes('/send')));
  expect(asked).toContain('localhost POST /base/open ');
  expect(asked).toContain('localhost POST /base/send and up');
});

describe('a TCP service', () => {
  /** What comes of a connection, and how it ends. */
  function story(socket: Socket): Promise<string> {
    let seen = '';
    socket.on('data', (chunk) => {
      seen += chunk.toString();
    });
    return new Promise((resolve) => socket.on('end', () => resolve(`${seen} end`)));
  }

  test('is bridged', async () => {
    const path = await socketPath();
    await listenAt(
      path,
      createServer((socket) => socket.pipe(socket)),
    );
    await using gateway = await gatewayTo(`tcp: "unix:${path}"`);
    using client = await open(gateway.port, '/');
    client.send(BINARY, 'through a socket');
    expect((await client.message()).toString()).toBe('through a socket');
    client.sendClose(1000);
    expect(await gateway.logged(({ msg }) => msg === 'session ended')).toMatchObject({
      target: `unix:${path}`,
      close: 1000,
      clean: true,
    });
  });

  test('gets what was written before its client vanished, and its end without delay', async () => {
    const path = await socketPath();
    const server = createServer();
    await listenAt(path, server);
    await using gateway = await gatewayTo(`tcp: "unix:${path}"`, ', timeouts: { close: 30s }');
    const arriving = once(server, 'connection') as Promise<[Socket]>;
    const client = await open(gateway.port, '/');
    const [service] = await arriving;
    const payload = 'x'.repeat(100_000);
    client.send(BINARY, payload);
    const taken = async () =>
      metric(await gateway.metrics(), 'sallyport_payload_bytes_total', { direction: 'up' });
    await eventually(async () => (await taken()) === payload.length);
    const end = story(service);
    client.socket.resetAndDestroy();
    expect(await within(end, 'the end of the service')).toBe(`${payload} end`);
    await eventually(() => gateway.gateway.connections === 0);
    expect(await gateway.logged(({ msg }) => msg === 'session ended')).toMatchObject({ clean: false });
  });
});

describe('several targets', () => {
  test('share sessions, sockets and addresses alike; where nobody listens nobody is sent', async () => {
    const [dead, live] = [await socketPath(), await socketPath()];
    await listenAt(live, echo());
    await using other = await startWebSocket();
    await using gateway = await gatewayTo(
      `websocket: ["unix:${dead}", { url: "unix:${live}", weight: 2 }, "ws://127.0.0.1:${other.port}"]`,
    );
    const clients = [];
    for (let opened = 0; opened < 6; opened++) clients.push(await open(gateway.port, '/'));
    const metrics = await gateway.metrics();
    const sessions = (target: string) => metric(metrics, 'sallyport_upstream_sessions', { target });
    expect([sessions(`unix:${dead}`), sessions(`unix:${live}`), other.open]).toEqual([0, 4, 2]);
    const outcome = 'UPSTREAM_REFUSED';
    expect(
      metric(metrics, 'sallyport_upstream_dials_total', { target: `unix:${dead}`, outcome }),
    ).toBeGreaterThan(0);
    for (const client of clients) client[Symbol.dispose]();
  });

  test('checks find out which is well, and which is well again', async () => {
    const [one, two] = [await socketPath(), await socketPath()];
    const page: RequestListener = (request, response) => response.end(request.headers.host);
    await listenAt(one, createHttpServer(page));
    const stopping = await listenAt(two, createHttpServer(page));
    await using gateway = await gatewayTo(
      `http: ["unix:${one}", "unix:${two}"], health: { every: 20ms, within: 1s, after: 2 }`,
    );
    const isWell = async (path: string) =>
      metric(await gateway.metrics(), 'sallyport_upstream_healthy', { target: `unix:${path}` }) === 1;
    expect([await isWell(one), await isWell(two)]).toEqual([true, true]);
    await stopping.close();
    await eventually(async () => !(await isWell(two)));
    expect(await isWell(one)).toBe(true);
    await listenAt(two, createHttpServer(page));
    await eventually(() => isWell(two));
  });
});

describe('the log tells why nobody could be reached', () => {
  async function causeOf(path: string): Promise<Record<string, unknown>> {
    await using gateway = await gatewayTo(`websocket: "unix:${path}"`);
    using client = await say(gateway.port, handshake('/'));
    expect(await client.answer()).toMatchObject({
      status: 502,
      body: expect.stringMatching(/^UPSTREAM_REFUSED: [^/]*$/),
    });
    return gateway.logged(({ msg }) => msg === 'upgrade refused');
  }

  test('there is no such socket', async () => {
    const path = await socketPath();
    expect(await causeOf(path)).toMatchObject({
      error: 'UPSTREAM_REFUSED',
      cause: `connect ENOENT ${path}`,
      targets: [{ target: `unix:${path}`, cause: `connect ENOENT ${path}` }],
    });
  });

  test('nobody listens', async () => {
    const path = await socketPath();
    await writeFile(path, '');
    expect(await causeOf(path)).toMatchObject({ cause: `connect ECONNREFUSED ${path}` });
  });
});
