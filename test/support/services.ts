import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { resetSocket } from '../../src/stream/reset.ts';
import { startUpstream, startWebSocket, type Upstream } from './faulty.ts';
import { within } from './patience.ts';
import { BINARY, CLOSE, frame, TEXT, type Wire } from './raw.ts';

/** The three kinds of service that stand behind a gateway, all in a test's hands in the same way. */

export const BRIDGES = ['websocket', 'tcp', 'poll'] as const;
export type BridgeName = (typeof BRIDGES)[number];

/** What a peer was told of the end: a Close, how its connection ended where there was none, or a request. */
export type Told = readonly [code: number, reason: string] | 'fin' | 'reset' | 'asked to close';

/** One session as its service sees it. */
export interface Service {
  send(text: string): void;
  /** Sends for as long as it is read; returns how many bytes have left it. */
  flood(): () => number;
  /** Ends in the way of its protocol: a Close, a FIN, an answer that says so. */
  close(): void;
  reset(): void;
  breakProtocol(): void;
  /** Reads, but says nothing any more. */
  fallSilent(): void;
  /** Reads nothing any more. */
  stall(): void;
  /** All payload that has come of the client, as text. */
  readonly got: string;
  /** Resolves when the condition holds; it is looked at whenever something comes. */
  until(condition: () => boolean, what: string): Promise<void>;
  /** It has been told of the end. */
  isTold(): boolean;
  /** Resolves with what it was told of the end. */
  told(): Promise<Told>;
}

/** A server for sessions of one kind. */
export interface Services extends AsyncDisposable {
  /** What a route's `upstream` says to reach it; `n` is captured by the route's path and names the session. */
  readonly config: string;
  /** The service of the session `n`, once it has been reached. `before` is what `count` was before the session was opened. */
  service(n: string, before: number): Promise<Service>;
  /** Connections it has had. */
  readonly count: number;
}

const MiB = 2 ** 20;

/** Writes a piece again and again for as long as it is taken; returns how much has left this process. */
export function pour(wire: Wire, piece: Buffer): () => number {
  function write(): void {
    while (wire.socket.writable && wire.socket.write(piece));
  }
  wire.socket.on('drain', write);
  write();
  return () => wire.socket.bytesWritten - wire.socket.writableLength;
}

function wireServices(upstream: Upstream, config: string, serviceOn: (wire: Wire) => Service): Services {
  return {
    config,
    service: async (_n, before) => serviceOn(await upstream.wire(before)),
    get count() {
      return upstream.wires.length;
    },
    [Symbol.asyncDispose]: () => upstream.close(),
  };
}

/** What a service on one connection does in the same way, whatever it speaks. */
function onWire(wire: Wire) {
  return {
    reset: () => resetSocket(wire.socket),
    stall: () => void wire.socket.pause(),
    until: (condition: () => boolean, what: string) => wire.until(condition, what),
    fallSilent() {
      wire.polite = false;
    },
    isTold: () => wire.close !== undefined || wire.end !== undefined,
    async told(): Promise<Told> {
      wire.socket.resume();
      const close = await wire.ended();
      return close ? [close.code, close.reason] : (wire.end as 'fin' | 'reset');
    },
  };
}

/** A WebSocket server. */
export async function webSocketServices(): Promise<Services> {
  const upstream = await startWebSocket();
  const config = `websocket: "ws://127.0.0.1:${upstream.port}/{n}"`;
  return wireServices(upstream, config, (wire) => ({
    ...onWire(wire),
    send: (text) => wire.send(TEXT, text),
    flood: () => pour(wire, frame(BINARY, Buffer.alloc(MiB), { masked: false })),
    close: () => wire.sendClose(4000, 'that was all'),
    breakProtocol: () => wire.send(TEXT, 'x', { rsv: 2 }),
    get got() {
      return wire.frames
        .flatMap(({ opcode, payload }) => (opcode < CLOSE ? [payload.toString()] : []))
        .join('');
    },
  }));
}

/** A TCP server. */
export async function tcpServices(): Promise<Services> {
  const got = new WeakMap<Wire, string>();
  const textOf = (wire: Wire) => got.get(wire) ?? '';
  const upstream = await startUpstream((wire) =>
    wire.socket.on('data', function keep(chunk: Buffer) {
      if (textOf(wire).length < MiB) got.set(wire, textOf(wire) + chunk.toString('latin1'));
    }),
  );
  return wireServices(upstream, `tcp: "127.0.0.1:${upstream.port}"`, (wire) => ({
    ...onWire(wire),
    send: (text) => wire.write(text),
    flood: () => pour(wire, Buffer.alloc(MiB)),
    close: () => void wire.socket.end(),
    breakProtocol() {
      throw new Error('a byte stream has no rules to break');
    },
    get got() {
      return textOf(wire);
    },
  }));
}

/** An HTTP service that is polled. */
export async function pollServices(): Promise<Services> {
  const sessions = new Map<string, PollSession>();
  const sockets = new Set<Socket>();
  const sessionOf = (n: string) => {
    const session = sessions.get(n) ?? new PollSession();
    sessions.set(n, session);
    return session;
  };
  const server = createServer((request, response) => {
    request.on('error', () => {});
    response.on('error', () => {});
    const [, n = '', what = ''] = (request.url ?? '').split('/');
    void sessionOf(n).onRequest(what, request, response);
  });
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const target = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    config: `poll: { target: "${target}", poll: { path: "/{n}/poll", hold: HOLD, margin: HOLD }, send: { path: "/{n}/send", timeout: SEND }, close: { path: "/{n}/close" }, outage: 200ms }`,
    count: 0,
    async service(n) {
      const session = sessionOf(n);
      await session.until(() => session.isPolled, 'a poll');
      return session;
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** A session with an HTTP service. */
class PollSession implements Service {
  got = '';
  isPolled = false;
  #held: ServerResponse | undefined;
  #isAskedToClose = false;
  /** Answers each request from now on. */
  #answer: ((what: string, response: ServerResponse) => void) | undefined;
  #sent = 0;
  readonly #waiting = new Set<() => void>();

  async onRequest(what: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await buffer(request).catch(() => Buffer.alloc(0));
    if (what === 'send') this.got += body.toString();
    if (what === 'poll') this.isPolled = true;
    if (what === 'close') this.#isAskedToClose = true;
    for (const wake of this.#waiting) wake();
    if (this.#answer !== undefined) this.#answer(what, response);
    else if (what === 'poll') this.#held = response;
    else response.writeHead(204).end();
  }

  send(text: string): void {
    this.#held?.writeHead(200, { 'content-type': 'text/plain' }).end(text);
    this.#held = undefined;
  }

  /** Polls are answered at once, and the request to close without an end. */
  flood(): () => number {
    this.#answerAll((what, response) => {
      response.on('close', () => {
        this.#sent += response.socket?.bytesWritten ?? 0;
      });
      if (what !== 'close') response.writeHead(200).end(Buffer.alloc(64 * 1024));
      else this.#pour(response);
    });
    return () => this.#sent;
  }

  #pour(response: ServerResponse): void {
    const piece = Buffer.alloc(64 * 1024);
    function write(): void {
      while (!response.destroyed && response.write(piece));
    }
    response.on('drain', write);
    write();
  }

  close(): void {
    this.#answerAll((what, response) => response.writeHead(what === 'poll' ? 410 : 204).end());
  }

  reset(): void {
    this.#answerAll((_what, { socket }) => socket && resetSocket(socket));
  }

  breakProtocol(): void {
    this.#answerAll((_what, response) =>
      response.writeHead(200, { 'content-type': 'text/plain' }).end(Buffer.from([0xff])),
    );
  }

  fallSilent(): void {
    this.#answerAll(() => {});
  }

  /** It takes no message and no goodbye: polls are held. */
  stall(): void {
    this.#answer = () => {};
  }

  #answerAll(answer: (what: string, response: ServerResponse) => void): void {
    this.#answer = answer;
    if (this.#held !== undefined) answer('poll', this.#held);
  }

  until(condition: () => boolean, what: string): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const look = () => condition() && this.#waiting.delete(look) && resolve();
    this.#waiting.add(look);
    look();
    return within(promise, what);
  }

  isTold(): boolean {
    return this.#isAskedToClose;
  }

  async told(): Promise<Told> {
    await this.until(() => this.isTold(), 'the request to close');
    return 'asked to close';
  }
}
