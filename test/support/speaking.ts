import { once } from 'node:events';
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:net';
import { type Duplex, pipeline, Readable } from 'node:stream';
import { setTimeout as wait } from 'node:timers/promises';
import { onTestFinished } from 'vitest';
import { createWebSocketStream, type WebSocket, WebSocketServer } from 'ws';
import { portOf } from './servers.ts';

/** Services of each kind that speak all the time, or read nothing, until their test is over. */

/** `trickle`: a byte now and then. `pour`: as much as is taken. `deaf`: nothing, and it reads nothing. */
export type Manner = 'quiet' | 'trickle' | 'pour' | 'deaf';

const TRICKLE_MS = 50;
const LOT = Buffer.alloc(64 * 1024);

async function* trickle(): AsyncGenerator<Buffer> {
  for (;;) {
    await wait(TRICKLE_MS);
    yield Buffer.from('x');
  }
}

function* pour(): Generator<Buffer> {
  for (;;) yield LOT;
}

/** Speaks on a stream until that ends; what comes is read, unless it is deaf. */
export function speak(stream: Duplex, manner: Manner): void {
  stream.on('error', () => {});
  if (manner === 'trickle' || manner === 'pour')
    pipeline(Readable.from(manner === 'pour' ? pour() : trickle()), stream, () => {});
  if (manner !== 'deaf') stream.resume();
}

/** `speak` for a WebSocket of `ws`. */
export function speakFrames(webSocket: WebSocket, manner: Manner): void {
  if (manner === 'deaf') webSocket.on('error', () => {}).pause();
  else speak(createWebSocketStream(webSocket), manner);
}

/** The `upstream` of a route to a new service of this kind. */
export async function startSpeaker(bridge: 'websocket' | 'tcp' | 'poll', manner: Manner): Promise<string> {
  if (bridge === 'tcp') {
    const port = await listening(createServer((socket) => speak(socket, manner)));
    return `{ tcp: "127.0.0.1:${port}" }`;
  }
  if (bridge === 'websocket') {
    const server = createHttpServer();
    new WebSocketServer({ server }).on('connection', (webSocket) => speakFrames(webSocket, manner));
    return `{ websocket: "ws://127.0.0.1:${await listening(server)}" }`;
  }
  const server = createHttpServer((request, response) => answer(request, response, manner));
  onTestFinished(() => server.closeAllConnections());
  return `{ poll: { target: "http://127.0.0.1:${await listening(server)}", poll: { path: / }, send: { path: / } } }`;
}

function answer(request: IncomingMessage, response: ServerResponse, manner: Manner): void {
  request.resume();
  if (request.method === 'POST') {
    response.writeHead(204).end();
    return;
  }
  if (manner === 'pour') response.end(LOT);
  if (manner !== 'trickle') return;
  const timer = setTimeout(() => response.end('x'), TRICKLE_MS);
  response.on('close', () => clearTimeout(timer));
}

async function listening(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return portOf(server);
}
