import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { attach } from 'engine.io';
import { Server } from 'socket.io';
import { onTestFinished } from 'vitest';
import { type Guarded, startGuardedExample } from './example.ts';
import { startGateway, type TestGateway } from './gateway.ts';
import { createPageServer } from './page.ts';
import { portOf } from './servers.ts';

/** Socket.IO and Engine.IO as they come: polling first, then a WebSocket, at the address the page came from. */

export type Library = 'Socket.IO' | 'Engine.IO';

/** What each library calls itself on a page. */
export const GLOBALS: Readonly<Record<Library, string>> = { 'Socket.IO': 'io', 'Engine.IO': 'eio' };

/** Its paths, as the libraries choose them. */
export const PATHS: Readonly<Record<Library, string>> = {
  'Socket.IO': '/socket.io/',
  'Engine.IO': '/engine.io/',
};

/** One application: a page with both clients, and both servers, which say every message back. */
export interface Echoes {
  readonly port: number;
  /** Every request it has had, handshakes too. */
  readonly requests: readonly IncomingMessage[];
}

/** Starts it; closed when the test has finished. */
export async function startEchoes(): Promise<Echoes> {
  const http = await createPageServer(
    'socket.io-client/dist/socket.io.min.js',
    'engine.io-client/dist/engine.io.min.js',
  );
  const requests: IncomingMessage[] = [];
  const socketIo = new Server(http, { serveClient: false });
  socketIo.on('connection', (socket) => socket.on('message', (text) => socket.send(text)));
  const engineIo = attach(http, {});
  engineIo.on('connection', (socket) => socket.on('message', (text: string) => socket.send(text)));
  for (const kind of ['request', 'upgrade']) http.on(kind, (request) => requests.push(request));
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  onTestFinished(async () => {
    engineIo.close();
    await socketIo.close();
  });
  return { port: portOf(http), requests };
}

/** The application behind a gateway with one route for all of it. */
export interface Scene {
  readonly app: Echoes;
  readonly gateway: TestGateway;
}

/** A scene for everybody, in plain text. */
export async function startOpen(): Promise<Scene> {
  const app = await startEchoes();
  const gateway = await startGateway(
    `routes: [{ name: app, match: { path: /* }, auth: none, upstream: { http: "http://127.0.0.1:${app.port}" } }]`,
  );
  onTestFinished(() => gateway.close());
  return { app, gateway };
}

/** A scene for who brings the token in a cookie, as config/examples/socket-io.yaml has it, with TLS. */
export async function startGuarded(): Promise<Scene & Guarded> {
  const app = await startEchoes();
  const guarded = await startGuardedExample('socket-io', {
    'http://127.0.0.1:3000': `http://127.0.0.1:${app.port}`,
  });
  return { app, ...guarded };
}

/** What both clients have in common; `io` is Socket.IO's, for it stands on Engine.IO. */
interface Client {
  readonly io?: { readonly engine: Engine };
  send(text: string): unknown;
  on(event: 'message', hear: (text: string) => void): unknown;
  close(): unknown;
}

interface Engine {
  readonly transport: { readonly name: string };
  once(event: 'open' | 'upgrade' | 'error' | 'close', hear: (what: unknown) => void): unknown;
}

export interface Job {
  readonly url: string;
  readonly options: object;
  /** How many messages: half are sent at once, half when the transport has changed. */
  readonly count: number;
}

export interface Climb {
  /** In the order they were used. */
  readonly transports: readonly string[];
  /** The messages that came back. */
  readonly echoes: readonly string[];
}

/** How long a climb may take on a busy machine, in ms. */
export const CLIMB_MS = 30_000;

/**
 * Connects, and talks from the first moment on over whatever transport there is. Rejects if the connection fails.
 * It runs in Node and, as text, on a page: it must not refer to anything outside itself but what both have.
 */
export function climb(
  connect: (url: string, options: object) => unknown,
  { url, options, count }: Job,
): Promise<Climb> {
  return new Promise((resolve, reject) => {
    const transports: string[] = [];
    const echoes: string[] = [];
    const client = connect(url, options) as Client;
    const engine = client.io?.engine ?? (client as unknown as Engine);

    function sendHalf(first: number): void {
      transports.push(engine.transport.name);
      for (let index = first; index < first + count / 2; index++) client.send(`message ${index}`);
    }
    engine.once('open', () => sendHalf(0));
    engine.once('upgrade', () => sendHalf(count / 2));
    engine.once('error', reject);
    engine.once('close', (reason) => reject(new Error(`${reason} after ${echoes.length} messages`)));
    client.on('message', (text) => {
      if (echoes.push(text) < count) return;
      resolve({ transports, echoes });
      client.close();
    });
  });
}

/** What is to come back. */
export function messages(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `message ${index}`);
}
