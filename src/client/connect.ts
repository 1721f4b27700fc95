import { TCP_PROTOCOL, TCP_RESUME_PROTOCOL } from '../tcp-protocol/types.ts';
import { createBackoff, wait } from './backoff.ts';
import { asError, ConnectionError } from './errors.ts';
import { Inbound } from './inbound.ts';
import { PlainConnection } from './plain.ts';
import { credentials, type Token, tokenOf, untilRenewal } from './token.ts';
import { V1Connection } from './v1.ts';
import { type OpenWebSocket, openWire, type Wire } from './wire.ts';

export interface ConnectOptions {
  /** A token, or what gives one; asked for each connection, and before the one that holds ends. */
  readonly token?: Token;
  /** Further subprotocols to offer, for relays that want one, such as `binary`. */
  readonly protocols?: readonly string[];
  /** Ends the connection, or the attempt to make it. */
  readonly signal?: AbortSignal;
  /** What is written still goes out when the service has finished. Absent: it is finished then, too. */
  readonly allowHalfOpen?: boolean;
  /** Milliseconds for which the first attempt may be repeated where that may help. Absent: not at all. */
  readonly retryMs?: number;
  /** Makes the WebSockets. Absent: the WebSocket that this place has. */
  readonly open?: OpenWebSocket;
}

/** What is known of an open connection. */
export interface OpenedConnection {
  /** As the gateway's log calls it; empty where the other side is another relay. */
  readonly session: string;
  /** `host:port` as it was asked for; empty where the gateway's configuration names the service. */
  readonly peer: string;
  /** The subprotocol that is spoken. */
  readonly protocol: string;
}

/** A TCP connection, in the shape of the sockets API of WinterTC. */
export interface TcpConnection {
  /** Bytes of the service. Ends with its FIN, errors with ConnectionError. */
  readonly readable: ReadableStream<Uint8Array>;
  /** Takes bytes, as fast as the service does. Closing it is our FIN. */
  readonly writable: WritableStream<Uint8Array>;
  /** Rejects with ConnectionError. */
  readonly opened: Promise<OpenedConnection>;
  /** Resolves when both directions are done with. Rejects with ConnectionError. */
  readonly closed: Promise<void>;
  /** Finishes what is written, and wants no more. Resolves as `closed` does. */
  close(): Promise<void>;
}

/** Opens a TCP connection through a gateway, at a WebSocket URL. */
export function connect(url: string | URL, options: ConnectOptions = {}): TcpConnection {
  return new Connecting(String(url), options);
}

/** What carries the bytes, once it is known. */
type Carrier = V1Connection | PlainConnection;

class Connecting implements TcpConnection {
  /** Breaks it, or the attempt to make it. */
  readonly #reset = (reason: unknown): void => {
    const error = asError(reason, 1000);
    this.#carrier?.reset(1000, error.message);
    this.#end(error);
  };
  readonly #inbound = new Inbound(this.#reset);
  readonly #url: string;
  readonly #options: ConnectOptions;
  readonly #stop = new AbortController();
  readonly #opening = Promise.withResolvers<OpenedConnection>();
  readonly #closing = Promise.withResolvers<void>();
  readonly opened = this.#opening.promise;
  readonly closed = this.#closing.promise;
  readonly readable = this.#inbound.readable;
  #carrier: Carrier | undefined;
  #renewal: ReturnType<typeof setTimeout> | undefined;
  #writer: WritableStreamDefaultController | undefined;
  readonly writable = this.#makeWritable();

  constructor(url: string, options: ConnectOptions) {
    this.#url = url;
    this.#options = options;
    // Whoever does not wait for them hears of it by the streams.
    for (const promise of [this.opened, this.closed]) promise.catch(() => {});
    const { signal } = options;
    signal?.addEventListener('abort', this.#onAbort);
    if (signal?.aborted) this.#onAbort();
    else void this.#begin();
  }

  async close(): Promise<void> {
    (await this.#carried()).close();
    return this.closed;
  }

  async #carried(): Promise<Carrier> {
    await this.opened;
    return this.#carrier as Carrier;
  }

  async #begin(): Promise<void> {
    try {
      const wire = await this.#wireWithin(this.#options.retryMs ?? 0);
      if (wire.socket.protocol === TCP_PROTOCOL) this.#runV1(wire);
      else this.#onOpened(wire, new PlainConnection(wire, this.#inbound, this.#end));
    } catch (error) {
      this.#end(asError(error));
    }
  }

  /** Tries again where that may help, for so many milliseconds. */
  async #wireWithin(ms: number, ...more: string[]): Promise<Wire> {
    const until = Date.now() + ms;
    const backoff = createBackoff({ firstMs: 200, mostMs: 5_000 });
    for (;;) {
      try {
        return await this.#openWire(more);
      } catch (error) {
        const pause = backoff();
        if (!asError(error).mayRetry || Date.now() + pause > until) throw error;
        await wait(pause, this.#stop.signal);
      }
    }
  }

  async #openWire(more: readonly string[]): Promise<Wire> {
    const { token, protocols = [], open } = this.#options;
    const offered = [TCP_PROTOCOL, ...more, ...protocols, ...credentials(await tokenOf(token))];
    return openWire(this.#url, offered, this.#stop.signal, open);
  }

  #onOpened({ socket: { protocol } }: Wire, carrier: Carrier, session = '', peer = ''): void {
    this.#carrier = carrier;
    this.#opening.resolve({ session, peer, protocol });
  }

  #runV1(wire: Wire): void {
    const connection: V1Connection = new V1Connection(wire, this.#inbound, {
      onOpened: ({ session, peer }) => this.#onOpened(wire, connection, session, peer),
      onExpiry: (expiresAt) => this.#renewBefore(expiresAt, connection),
      onLost: (forMs) =>
        void this.#wireWithin(forMs, TCP_RESUME_PROTOCOL).then(
          (next) => connection.resume(next),
          (error) => connection.end(asError(error)),
        ),
      onEnd: this.#end,
      onFinished: () => {
        if (!this.#options.allowHalfOpen) connection.finish();
      },
    });
  }

  #renewBefore(expiresAt: number, connection: V1Connection): void {
    clearTimeout(this.#renewal);
    const { token } = this.#options;
    if (expiresAt === 0 || typeof token !== 'function') return;
    const renew = async () => {
      try {
        connection.authenticate(await token());
      } catch (error) {
        connection.reset(3000, `no new token: ${asError(error).message}`);
      }
    };
    this.#renewal = setTimeout(renew, untilRenewal(expiresAt));
  }

  #makeWritable(): WritableStream<Uint8Array> {
    return new WritableStream({
      start: (controller) => {
        this.#writer = controller;
      },
      write: async (chunk) => {
        const carrier = await this.#carried();
        if (carrier.isFinishing) throw new ConnectionError(1000, 'it has finished');
        await carrier.write(chunk);
      },
      close: async () => (await this.#carried()).finish(),
      abort: this.#reset,
    });
  }

  readonly #onAbort = (): void => this.#reset(this.#options.signal?.reason);

  readonly #end = (error?: ConnectionError): void => {
    clearTimeout(this.#renewal);
    this.#options.signal?.removeEventListener('abort', this.#onAbort);
    this.#stop.abort();
    if (error === undefined) {
      this.#inbound.end();
      this.#closing.resolve();
      return;
    }
    this.#opening.reject(error);
    this.#inbound.fail(error);
    this.#writer?.error(error);
    this.#closing.reject(error);
  };
}
