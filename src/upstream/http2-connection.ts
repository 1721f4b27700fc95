import { once } from 'node:events';
import { type ClientHttp2Session, connect } from 'node:http2';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { GatewayError } from '../errors.ts';
import type { HttpRequest } from './client.ts';
import { Http2Request } from './http2-request.ts';
import type { ResponseHandler } from './wire.ts';

/** Requests at a time in one connection, whatever the service allows: not all are to be lost with it. */
const MAX_STREAMS = 250;
/** MiB of what has come and has not been read; Node's window for each stream is 64 KiB. */
const MAX_MEMORY = 32;
/** For all streams together: none waits for the bytes of another. */
const WINDOW_BYTES = 1024 * 1024;
/** Every so often a connection is asked whether it lives. One that has carried nothing from one time to the next is closed. */
const CHECK_MS = 15_000;

/** `on`: HTTP/2 and nothing else; `auto`: whichever a service that speaks TLS chooses by ALPN (RFC 7301). */
export type Http2Mode = 'off' | 'on' | 'auto';

/** What is offered by ALPN, the best first. */
export const ALPN: Readonly<Record<Http2Mode, readonly string[]>> = {
  off: ['http/1.1'],
  on: ['h2'],
  auto: ['h2', 'http/1.1'],
};

/** What a connection is to be spoken with: what ALPN has agreed upon; without TLS, what the configuration knows. */
export function isHttp2(socket: Socket, mode: Http2Mode): boolean {
  return mode === 'on' || (socket as Partial<TLSSocket>).alpnProtocol === 'h2';
}

/**
 * Speaks HTTP/2 on a socket that is open, to the service that `origin` names. Resolves when the service has shown that
 * it does, too. Rejects with UPSTREAM_REFUSED, also when `signal` aborts; the socket is then destroyed.
 */
export async function openHttp2(
  socket: Socket,
  origin: string,
  signal: AbortSignal,
): Promise<Http2Connection> {
  const session = connect(origin, {
    createConnection: () => socket,
    settings: { enablePush: false },
    maxReservedRemoteStreams: 0,
    maxSessionMemory: MAX_MEMORY,
  });
  session.on('error', () => {});
  const closed = new AbortController();
  session.once('close', () => closed.abort());
  try {
    // Its first frame, and in it how many requests it takes at a time (RFC 9113 §3.4).
    await once(session, 'remoteSettings', { signal: AbortSignal.any([signal, closed.signal]) });
    session.setLocalWindowSize(WINDOW_BYTES);
    return new Http2Connection(session, socket);
  } catch (cause) {
    session.destroy();
    throw new GatewayError('UPSTREAM_REFUSED', { detail: 'it speaks no HTTP/2', cause });
  }
}

/**
 * One HTTP/2 connection, which many requests share. Asked to go away, it takes no more and ends with the last it has
 * (RFC 9113 §6.8): Node would wait for the service to close it, for ever.
 */
export class Http2Connection {
  readonly #session: ClientHttp2Session;
  readonly #socket: Socket;
  readonly #checks: NodeJS.Timeout;
  #streams = 0;
  /** The highest stream that the service will look at. */
  #lastStream = Number.POSITIVE_INFINITY;
  #isAsked = false;
  #wasIdle = false;

  constructor(session: ClientHttp2Session, socket: Socket) {
    this.#session = session;
    this.#socket = socket;
    this.#checks = setInterval(this.#check, CHECK_MS);
    session.on('goaway', (_code, lastStream) => {
      this.#lastStream = Math.min(this.#lastStream, lastStream);
      this.#leave();
    });
    session.once('close', () => clearInterval(this.#checks));
  }

  /** Takes another request now. */
  get hasRoom(): boolean {
    const { closed, destroyed, remoteSettings } = this.#session;
    if (closed || destroyed || this.#lastStream !== Number.POSITIVE_INFINITY) return false;
    return this.#streams < Math.min(MAX_STREAMS, remoteSettings.maxConcurrentStreams ?? MAX_STREAMS);
  }

  /** Calls back when it has ended. */
  whenClosed(callback: () => void): void {
    if (this.#session.destroyed) callback();
    else this.#session.once('close', callback);
  }

  send(request: HttpRequest, handler: ResponseHandler): void {
    const sent = new Http2Request(handler, (id) => id > this.#lastStream).send(this.#session, request);
    if (sent === undefined) return;
    this.#streams += 1;
    this.#wasIdle = false;
    sent.once('close', () => {
      this.#streams -= 1;
      this.#leave();
    });
  }

  /** Ends it, and with it every request. */
  destroy(): void {
    this.#session.destroy();
    this.#socket.destroy();
  }

  /** Goes away, if it was asked to and nothing is under way. */
  #leave(): void {
    if (this.#lastStream !== Number.POSITIVE_INFINITY && this.#streams === 0) this.destroy();
  }

  readonly #check = (): void => {
    if (this.#session.destroyed) {
      this.destroy();
      return;
    }
    const isIdle = this.#streams === 0;
    if (this.#isAsked || (isIdle && this.#wasIdle)) {
      this.#session.destroy(this.#isAsked ? new Error('it stopped answering pings') : undefined);
      return;
    }
    this.#wasIdle = isIdle;
    this.#isAsked = this.#session.ping((error) => {
      this.#isAsked = error !== null;
    });
  };
}
