import type { Socket } from 'node:net';
import type { AddressMatcher } from '../http/address.ts';
import { type ProxyHeader, ProxyHeaderError, readProxyHeader } from '../proxy-protocol/read.ts';
import type { ConnectionObserver, ProxyHeaderFailure } from './observer.ts';

const HEADER = Symbol('what the proxy in front has said of a connection');

type Asked = Socket & { [HEADER]?: ProxyHeader };

/** What a trusted proxy has said of a connection; undefined where it came without a header. */
export function proxyHeaderOf(socket: Socket): ProxyHeader | undefined {
  return (socket as Asked)[HEADER];
}

/** The same connection has another socket from here on. */
export function passProxyHeader(from: Socket, to: Socket): void {
  (to as Asked)[HEADER] = proxyHeaderOf(from);
}

export interface ProxiedOptions {
  /** Who sends headers. All others are taken as they come, so that nobody gives himself another address. */
  readonly trusted: AddressMatcher;
  /** Milliseconds for the header to come. */
  readonly withinMs: number;
  readonly observer: Pick<ConnectionObserver, 'proxyHeaderFailed'>;
}

/**
 * Reads what a trusted proxy says in front of each connection's own bytes, TLS among them, and calls `next` with what follows
 * still to be read. A connection without such a header, or one that is late, is ended: nobody knows whom it is for. Its
 * `error` listener is the caller's.
 */
export function afterProxyHeader(socket: Socket, next: () => void, options: ProxiedOptions): void {
  const peer = socket.remoteAddress;
  if (peer === undefined || !options.trusted(peer)) next();
  else new HeaderWait(socket, peer, next, options).begin();
}

/** Waits for the header of one connection. Nothing of it lives as long as the connection. */
class HeaderWait {
  readonly #socket: Asked;
  readonly #peer: string;
  readonly #next: () => void;
  readonly #options: ProxiedOptions;
  #bytes: Buffer = Buffer.alloc(0);
  #timer: NodeJS.Timeout | undefined;

  constructor(socket: Socket, peer: string, next: () => void, options: ProxiedOptions) {
    this.#socket = socket;
    this.#peer = peer;
    this.#next = next;
    this.#options = options;
  }

  begin(): void {
    this.#timer = setTimeout(() => this.#fail('timeout'), this.#options.withinMs);
    this.#socket.on('readable', this.#onReadable).on('end', this.#onEnd).on('close', this.#onEnd);
  }

  readonly #onReadable = (): void => {
    const chunk: Buffer | null = this.#socket.read();
    if (chunk === null) return;
    this.#bytes = Buffer.concat([this.#bytes, chunk]);
    try {
      const header = readProxyHeader(this.#bytes);
      if (header !== undefined) this.#goOn(header);
    } catch (error) {
      if (!(error instanceof ProxyHeaderError)) throw error;
      this.#fail('malformed', error.message);
    }
  };

  readonly #onEnd = (): void => this.#fail('ended');

  #goOn(header: ProxyHeader): void {
    this.#leave();
    this.#socket[HEADER] = header;
    const rest = this.#bytes.subarray(header.length);
    if (rest.length > 0) this.#socket.unshift(rest);
    this.#next();
  }

  #fail(reason: ProxyHeaderFailure, detail?: string): void {
    this.#leave();
    this.#options.observer.proxyHeaderFailed(reason, this.#peer, detail);
    this.#socket.destroy();
  }

  #leave(): void {
    clearTimeout(this.#timer);
    this.#socket.off('readable', this.#onReadable).off('end', this.#onEnd).off('close', this.#onEnd);
  }
}
