import type { ClientRequest, IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Connector } from '../upstream/http-pool.ts';

/** Idle connections kept for later requests. */
const MAX_IDLE = 64;
/** Less than what servers commonly wait before they close an idle connection: 5 s in Node, more elsewhere. */
const KEEP_IDLE_MS = 4_000;
/** How much sooner than the server that says how long it waits: its end must not meet our next request. */
const MARGIN_MS = 1_000;
const SWEEP_MS = 500;

/** What is known of one connection. */
interface Kept {
  readonly socket: Socket;
  /** How long it may be idle, in milliseconds. */
  idleMs: number;
  /** By `performance.now()`; undefined while a request uses it. */
  idleUntil: number | undefined;
}

/**
 * The connections to one endpoint, in the place of Node's Agent, which costs as much as all that admission does: it works
 * out for each request where it leads to, and keeps a timer for each connection. Here all lead to the same place.
 *
 *     connect ─► in use ─ free ─► idle ─ the next request ─► in use        closed, at any time: gone
 */
export class Connections {
  // What Node's client reads of an agent.
  readonly protocol = 'http:';
  readonly defaultPort = 80;
  readonly maxSockets = Infinity;
  readonly options = {};
  /** Otherwise each request says `Connection: close`, and has a connection of its own. */
  readonly keepAlive: boolean;

  readonly #connect: Connector;
  readonly #all = new Map<Socket, Kept>();
  /** The one that has been idle longest first. */
  readonly #idle: Kept[] = [];
  #sweeper: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(connect: Connector, keepAlive: boolean) {
    this.#connect = connect;
    this.keepAlive = keepAlive;
  }

  /** A connection is open that no request uses. */
  get hasIdle(): boolean {
    const now = performance.now();
    return this.#idle.some((kept) => isUsable(kept, now));
  }

  /** Node's client asks for a connection; `onSocket` of the request takes it, or the error in its place. */
  addRequest(request: ClientRequest): void {
    const kept = this.#take();
    if (kept === undefined) {
      this.#open(request);
      return;
    }
    request.reusedSocket = true;
    this.#give(kept, request);
  }

  /** Ends every connection, those in use too; again is a no-op. */
  close(): void {
    this.#isClosed = true;
    clearInterval(this.#sweeper);
    for (const socket of this.#all.keys()) socket.destroy();
  }

  /** The one used last: those that nobody needs any more get old. */
  #take(): Kept | undefined {
    const now = performance.now();
    for (let kept = this.#idle.pop(); kept !== undefined; kept = this.#idle.pop()) {
      if (isUsable(kept, now)) return kept;
      kept.socket.destroy();
    }
    return undefined;
  }

  #open(request: ClientRequest): void {
    const give = (socket: Socket) => this.#give(this.#add(socket), request);
    this.#connect().then(give, (error) => handOver(request, null, error));
  }

  #give(kept: Kept, request: ClientRequest): void {
    kept.idleUntil = undefined;
    request.once('response', (answer: IncomingMessage) => {
      const idleMs = idleMsOf(answer);
      if (idleMs !== undefined) kept.idleMs = idleMs;
    });
    handOver(request, kept.socket);
  }

  #add(socket: Socket): Kept {
    const kept: Kept = { socket, idleMs: KEEP_IDLE_MS, idleUntil: undefined };
    this.#all.set(socket, kept);
    socket.on('free', () => this.#keep(kept)).once('close', () => this.#forget(kept));
    // What an idle connection says is no answer to anything, and would be taken for one to the next request.
    socket.on('data', () => {
      if (kept.idleUntil !== undefined) socket.destroy();
    });
    if (this.#isClosed) socket.destroy();
    return kept;
  }

  /** Node's client is done with it. */
  #keep(kept: Kept): void {
    const isKept = this.keepAlive && kept.idleMs > 0 && this.#idle.length < MAX_IDLE && !this.#isClosed;
    if (!isKept || !kept.socket.writable) {
      kept.socket.destroy();
      return;
    }
    kept.idleUntil = performance.now() + kept.idleMs;
    this.#idle.push(kept);
    this.#sweeper ??= setInterval(this.#sweep, SWEEP_MS).unref();
  }

  #forget(kept: Kept): void {
    this.#all.delete(kept.socket);
    const at = this.#idle.indexOf(kept);
    if (at >= 0) this.#idle.splice(at, 1);
  }

  readonly #sweep = (): void => {
    const now = performance.now();
    for (const kept of this.#idle) if (!isUsable(kept, now)) kept.socket.destroy();
    if (this.#all.size > 0) return;
    clearInterval(this.#sweeper);
    this.#sweeper = undefined;
  };
}

function isUsable({ socket, idleUntil = 0 }: Kept, now: number): boolean {
  return now < idleUntil && socket.writable && !socket.readableEnded;
}

/** By the answer's Keep-Alive (RFC 2068 §19.7.1), if it has one. */
function idleMsOf({ headers }: IncomingMessage): number | undefined {
  const keepAlive = headers['keep-alive'];
  if (keepAlive === undefined) return undefined;
  const seconds = /(?:^|[ ,;])timeout=(\d+)/i.exec(String(keepAlive))?.[1];
  return seconds === undefined ? undefined : Math.min(KEEP_IDLE_MS, Number(seconds) * 1000 - MARGIN_MS);
}

/** What every agent calls, though the types of Node do not know it. */
function handOver(request: ClientRequest, socket: Socket | null, error?: Error): void {
  const takes = request as unknown as { onSocket(socket: Socket | null, error?: Error): void };
  takes.onSocket(socket, error);
}
