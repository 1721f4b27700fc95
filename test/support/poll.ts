import { createHash, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { WebSocket } from 'ws';
import type { Bridge, Ending, Link, SessionHandle } from '../../src/bridge/contract.ts';
import type { Clock } from '../../src/bridge/poll/backoff.ts';
import type { ChannelHub } from '../../src/bridge/poll/channels.ts';
import type { SessionConcealment } from '../../src/bridge/poll/concealment.ts';
import { openPollBridge } from '../../src/bridge/poll/index.ts';
import { type RouteConfig, schema } from '../../src/config/schema.ts';
import { asGatewayError } from '../../src/errors.ts';
import { RelayedAnswer } from '../../src/http/relayed-answer.ts';
import { openPollClients } from '../../src/routes.ts';
import { createUpstreamContext } from '../../src/upstream/context.ts';
import type { AdmittedRequest } from '../../src/upstream/forward.ts';
import { within } from './patience.ts';
import { freePort } from './ports.ts';

/** The poll bridge between real sockets, without the rest of the gateway: a server that admits everybody. */

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

/** A route with the given `poll` section, as written in YAML. */
export function pollRoute(poll: object, rest: object = {}): RouteConfig {
  const config = schema.parse({
    listeners: [{ port: 0 }],
    routes: [{ name: 'feed', match: { path: '/rooms/{room}' }, auth: 'none', upstream: { poll }, ...rest }],
  });
  return config.routes[0] as RouteConfig;
}

export interface HarnessOptions {
  readonly session?: Partial<SessionHandle>;
  readonly request?: Partial<AdmittedRequest>;
  readonly clock?: Clock;
  readonly channels?: ChannelHub;
  readonly concealment?: SessionConcealment;
  /** Gives every bridge up before the 101. */
  readonly abandon?: boolean;
  /** Runs the bridge only after this event of the client's socket. */
  readonly runAfter?: 'end' | 'close';
}

export interface Harness {
  readonly url: string;
  readonly sessions: TestSession[];
  readonly endings: Promise<Ending>[];
  /** Connects a client; resolves when it is open. */
  connect(options?: { protocols?: string[]; path?: string }): Promise<WebSocket>;
  close(): Promise<void>;
}

/** What the bridge was told and has counted. */
export interface TestSession extends SessionHandle {
  link: Link | undefined;
}

export async function startHarness(route: RouteConfig, options: HarnessOptions = {}): Promise<Harness> {
  const http = openPollClients(route, { upstreams: createUpstreamContext() });
  const { dial, close } = openPollBridge(route, { http, ...options });
  const sessions: TestSession[] = [];
  const endings: Promise<Ending>[] = [];
  const sockets = new Set<Duplex>();
  const clients: WebSocket[] = [];
  const server = createServer();

  server.on('upgrade', async function onUpgrade(message: IncomingMessage, socket: Duplex, head: Buffer) {
    socket.on('error', () => {});
    sockets.add(socket);
    const left = new AbortController();
    socket.once('close', () => left.abort());
    const request = { ...admitted(message), ...options.request };
    let bridge: Bridge;
    try {
      bridge = await dial(request, left.signal);
    } catch (error) {
      refuse(socket, error);
      return;
    }
    if (options.abandon) {
      bridge.abandon();
      refuse(socket, new Error('abandoned'));
      return;
    }
    const session = testSession(request.id, options.session);
    sessions.push(session);
    accept(socket, request.key, bridge.accept.protocol);
    if (options.runAfter) await within(eventOf(socket.resume(), options.runAfter), options.runAfter);
    endings.push(bridge.run(socket, head, session));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;

  return {
    url,
    sessions,
    endings,
    async connect({ protocols = [], path = '/rooms/blue' } = {}) {
      const client = new WebSocket(url + path, protocols);
      clients.push(client);
      await within(once(client, 'open'), 'an open WebSocket');
      return client;
    },
    async close() {
      for (const client of clients) client.terminate();
      for (const socket of sockets) socket.destroy();
      server.close();
      await Promise.all(endings);
      await close(0);
      await http.close();
    },
  };
}

/** Unlike `once` of node:events this does not reject when the socket fails. */
function eventOf(socket: Duplex, event: string): Promise<void> {
  return new Promise((resolve) => {
    socket.once(event, () => resolve());
  });
}

function admitted(message: IncomingMessage): AdmittedRequest {
  const [path = '', query = ''] = (message.url ?? '').split('?');
  const headers = Object.entries(message.headers).map(([name, value]) => [name, String(value)] as const);
  const offer = message.headers['sec-websocket-protocol'];
  const id = randomUUID();
  return {
    id,
    connectionId: id,
    method: 'GET',
    peerAddress: '127.0.0.1',
    clientAddress: '127.0.0.1',
    secure: false,
    isPeerTrusted: false,
    authority: '127.0.0.1',
    clientAuthority: '127.0.0.1',
    host: '127.0.0.1',
    path,
    query,
    origin: undefined,
    headers,
    key: message.headers['sec-websocket-key'] ?? '',
    protocols: offer?.split(/, */) ?? [],
    deflateOffer: undefined,
    grant: { claims: {}, releases: [] },
    captures: { room: path.split('/').at(-1) ?? '' },
    upstreamHeaders: [...headers, ['x-forwarded-for', '127.0.0.1'], ['x-request-id', 'r-1']],
  };
}

function testSession(id: string, own: Partial<SessionHandle> = {}): TestSession {
  return {
    id,
    up: { messages: 0, bytes: 0 },
    down: { messages: 0, bytes: 0 },
    stallMs: 10_000,
    closeMs: 1_000,
    fragments: 16_384,
    messageSize: Infinity,
    link: undefined,
    expiresAt: undefined,
    extend() {},
    goesOn() {},
    attach(link) {
      this.link = link;
    },
    admitMessage: () => 0,
    admitBytes: () => 0,
    ...own,
  };
}

function accept(socket: Duplex, key: string, protocol: string | undefined): void {
  const digest = createHash('sha1')
    .update(key + GUID)
    .digest('base64');
  const lines = ['HTTP/1.1 101 Switching Protocols', 'Upgrade: websocket', 'Connection: Upgrade'];
  lines.push(`Sec-WebSocket-Accept: ${digest}`);
  if (protocol) lines.push(`Sec-WebSocket-Protocol: ${protocol}`);
  socket.write(`${lines.join('\r\n')}\r\n\r\n`);
}

function refuse(socket: Duplex, thrown: unknown): void {
  const error = asGatewayError(thrown);
  const answer = error instanceof RelayedAnswer ? error.answer : undefined;
  const headers = (answer?.headers ?? []).map(([name, value]) => `${name}: ${value}\r\n`).join('');
  const body = answer?.body ?? Buffer.from(error.message);
  socket.write(`HTTP/1.1 ${error.status} x\r\nx-code: ${error.code}\r\n${headers}`);
  socket.end(Buffer.concat([Buffer.from(`content-length: ${body.length}\r\n\r\n`), body]));
}

/** A service on a port of its own, restartable on that port. */
export interface TestService {
  readonly url: string;
  readonly requests: ServiceRequest[];
  /** Kills every connection and stops listening; `start` listens on the same port again. */
  stop(): Promise<void>;
  start(): Promise<void>;
}

export interface ServiceRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
}

export type ServiceHandler = (request: ServiceRequest, response: ServerResponse) => void | Promise<void>;

export async function startService(handler: ServiceHandler): Promise<TestService> {
  const requests: ServiceRequest[] = [];
  const sockets = new Set<Socket>();
  let server: Server | undefined;
  const port = await freePort();

  const listener: RequestListener = async function onRequest(message, response) {
    const chunks: Buffer[] = [];
    message.on('error', () => {});
    response.on('error', () => {});
    for await (const chunk of message) chunks.push(chunk as Buffer);
    const { method = '', url = '', headers } = message;
    const request = { method, url, headers, body: Buffer.concat(chunks) };
    requests.push(request);
    await handler(request, response);
  };

  async function start(): Promise<void> {
    server = createServer((message, response) => {
      void Promise.resolve(listener(message, response)).catch(() => response.destroy());
    });
    server.on('connection', (socket) => {
      sockets.add(socket);
      socket.on('close', () => sockets.delete(socket));
    });
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
  }

  async function stop(): Promise<void> {
    const closing = server;
    server = undefined;
    if (closing === undefined) return;
    const closed = once(closing, 'close');
    closing.close();
    for (const socket of sockets) socket.resetAndDestroy();
    await closed;
  }

  await start();
  return { url: `http://127.0.0.1:${port}`, requests, start, stop };
}

/** Starts services and harnesses for one test; `undo` ends them all, the last first. */
export function fixtures() {
  const steps: (() => Promise<void>)[] = [];
  return {
    async service(handler: ServiceHandler): Promise<TestService> {
      const started = await startService(handler);
      steps.push(started.stop);
      return started;
    },
    async harness(poll: object, options: HarnessOptions & { route?: object } = {}): Promise<Harness> {
      const started = await startHarness(pollRoute(poll, options.route), options);
      steps.push(started.close);
      return started;
    },
    async undo(): Promise<void> {
      for (const step of steps.splice(0).reverse()) await step();
    },
  };
}

/** Collects what a client receives; `atLeast(n)` resolves when n messages have come; each may take `ms`. */
export function inboxOf(client: WebSocket) {
  const messages: { data: Buffer; binary: boolean }[] = [];
  const texts: string[] = [];
  let wake = () => {};
  client.on('message', (data: Buffer, binary: boolean) => {
    messages.push({ data, binary });
    texts.push(data.toString());
    wake();
  });
  return {
    messages,
    texts,
    async atLeast(count: number, ms?: number): Promise<string[]> {
      while (messages.length < count) {
        const more = new Promise<void>((resolve) => {
          wake = resolve;
        });
        await within(more, `message ${messages.length + 1} of ${count}`, ms);
      }
      return texts;
    },
  };
}

/** A client that does what no WebSocket library would: the handshake is done, the rest is bytes. */
export async function rawClient({ url }: Harness): Promise<Socket> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  socket.on('error', () => {});
  const lines = ['GET /rooms/blue HTTP/1.1', 'Host: x', 'Connection: Upgrade', 'Upgrade: websocket'];
  lines.push('Sec-WebSocket-Version: 13', 'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==');
  socket.write(`${lines.join('\r\n')}\r\n\r\n`);
  await within(once(socket, 'data'), 'the 101');
  return socket;
}

/** How a client's connection ended: the close code and reason it saw. */
export async function closeOf(client: WebSocket): Promise<{ code: number; reason: string }> {
  const [code, reason] = (await within(once(client, 'close'), 'the Close')) as [number, Buffer];
  return { code, reason: reason.toString() };
}

export { eventually as until } from './patience.ts';
