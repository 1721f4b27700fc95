import { createHash, randomFillSync } from 'node:crypto';
import { once } from 'node:events';
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer, type Server, type Socket } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { startServing } from '../support/cli.ts';
import { within } from '../support/patience.ts';
import { portOf } from '../support/servers.ts';
import { slowDown, slowly } from '../support/slow.ts';

/** Who reads slowly is alive: 40 MiB at 0.8 MB/s take longer than the pings and the stall deadline would wait for a dead one. */

const MESSAGE = randomFillSync(Buffer.allocUnsafe(40 * 2 ** 20));
const RATE = 800_000;
/** All transfers run at the same time, and take 53 s. */
const PATIENCE_MS = 100_000;

const WAYS = ['websocket up', 'websocket down', 'tcp up', 'tcp down', 'poll up', 'poll down'] as const;
type Way = (typeof WAYS)[number];

/** What has arrived of each transfer. */
class Arrivals {
  readonly #all = new Map<Way, Arrival>();

  of(way: Way): Arrival {
    const connection = this.#all.get(way) ?? new Arrival();
    this.#all.set(way, connection);
    return connection;
  }
}

class Arrival {
  readonly #hash = createHash('sha256');
  readonly #since = performance.now();
  readonly #done = Promise.withResolvers<{ sha256: string; bytesPerSecond: number }>();
  #bytes = 0;

  add(bytes: Buffer): void {
    this.#hash.update(bytes);
    this.#bytes += bytes.length;
    if (this.#bytes < MESSAGE.length) return;
    const seconds = (performance.now() - this.#since) / 1_000;
    this.#done.resolve({ sha256: this.#hash.digest('hex'), bytesPerSecond: this.#bytes / seconds });
  }

  /** The connection it should have come through is closed. */
  cut(how: string): void {
    this.#done.reject(new Error(`${this.#bytes} bytes, then ${how}`));
  }

  whole() {
    return within(this.#done.promise, () => `all but ${MESSAGE.length - this.#bytes} bytes`, PATIENCE_MS);
  }
}

async function listening<S extends Server>(server: S): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return portOf(server);
}

/** Sends the message to who comes for /down, and reads slowly what who comes for /up sends. */
async function startWebSocketService(arrivals: Arrivals): Promise<number> {
  const server = createHttpServer();
  new WebSocketServer({ server }).on('connection', function onConnection(webSocket, request) {
    webSocket.on('error', () => {});
    if (request.url === '/down') {
      webSocket.send(MESSAGE);
      return;
    }
    slowDown(webSocket, request.socket, RATE);
    webSocket.on('message', (data: Buffer) => arrivals.of('websocket up').add(data));
  });
  return listening(server);
}

function startTcpService(serve: (socket: Socket) => void): Promise<number> {
  const server = createServer(function onConnection(socket) {
    socket.on('error', () => {});
    serve(socket);
  });
  return listening(server);
}

/** Has the message for the first poll, and nothing for the next ones; reads slowly what is sent to it. */
async function startHttpService(arrivals: Arrivals): Promise<number> {
  let polls = 0;
  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.method === 'GET') {
      if (request.url === '/down' && polls++ === 0) response.end(MESSAGE);
      // Who polls again is let wait.
      else holdOpen(response);
      return;
    }
    for await (const chunk of slowly(request, RATE)) arrivals.of('poll up').add(chunk);
    response.writeHead(204).end();
  }
  const server = createHttpServer((request, response) => void answer(request, response).catch(() => {}));
  onTestFinished(() => server.closeAllConnections());
  return listening(server);
}

function holdOpen(response: ServerResponse): void {
  const timer = setTimeout(() => response.writeHead(204).end(), 20_000);
  response.on('close', () => clearTimeout(timer));
}

/** The keys that a message of this size needs on the poll bridge, which holds messages whole; all else is as it comes. */
const FOR_POLL = {
  route: 'limits: { messageSize: 64MiB }',
  upstream: 'responseSize: 64MiB',
  // The default of 30 s is for the whole of one message.
  send: 'timeout: 2m',
};

async function startGateway(arrivals: Arrivals): Promise<number> {
  const ws = await startWebSocketService(arrivals);
  const tcpUp = await startTcpService(async function onUp(socket) {
    for await (const chunk of slowly(socket, RATE)) arrivals.of('tcp up').add(chunk);
  });
  const tcpDown = await startTcpService((socket) => socket.write(MESSAGE));
  const http = await startHttpService(arrivals);
  const { port } = await startServing(`
listeners: [{ host: 127.0.0.1, port: 0 }]
routes:
  - { name: websocket, match: { path: "/websocket/{way}" }, auth: none, upstream: { websocket: "ws://127.0.0.1:${ws}/{way}" } }
  - { name: tcp-up, match: { path: /tcp/up }, auth: none, upstream: { tcp: "127.0.0.1:${tcpUp}" } }
  - { name: tcp-down, match: { path: /tcp/down }, auth: none, upstream: { tcp: "127.0.0.1:${tcpDown}" } }
  - name: poll
    match: { path: "/poll/{way}" }
    auth: none
    ${FOR_POLL.route}
    upstream:
      poll:
        target: http://127.0.0.1:${http}
        poll: { path: "/{way}" }
        send: { path: /, ${FOR_POLL.send} }
        ${FOR_POLL.upstream}
`);
  return port;
}

/** Sends the message, or reads slowly what comes. */
async function startClient(port: number, way: Way, connection: Arrival): Promise<void> {
  const client = new WebSocket(`ws://127.0.0.1:${port}/${way.replace(' ', '/')}`);
  onTestFinished(() => client.terminate());
  client.on('error', () => {});
  client.on('close', (code, reason) => connection.cut(`${code} ${reason}`));
  const upgraded = once(client, 'upgrade') as Promise<[IncomingMessage]>;
  client.on('message', (data: Buffer) => connection.add(data));
  await once(client, 'open');
  if (way.endsWith('up')) client.send(MESSAGE);
  else slowDown(client, (await upgraded)[0].socket, RATE);
}

test('a message of 40 MiB that is read at 0.8 MB/s arrives whole: every bridge, either way, by default', async () => {
  const arrivals = new Arrivals();
  const port = await startGateway(arrivals);
  for (const way of WAYS) await startClient(port, way, arrivals.of(way));
  const outcomes = await Promise.allSettled(WAYS.map((way) => arrivals.of(way).whole()));
  const sha256 = createHash('sha256').update(MESSAGE).digest('hex');
  const whole = { status: 'fulfilled', value: { sha256, bytesPerSecond: expect.toSatisfy(isSlow) } };
  expect(Object.fromEntries(WAYS.map((way, index) => [way, outcomes[index]]))).toEqual(
    Object.fromEntries(WAYS.map((way) => [way, whole])),
  );
});

/** The last of it may come a little ahead of its time. */
function isSlow(bytesPerSecond: number): boolean {
  return bytesPerSecond < RATE * 1.05;
}
