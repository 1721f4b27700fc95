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
  readonly readable: ReadableStream<Uint8Array>;
  readonly writable: WritableStream<Uint8Array>;
  readonly opened: Promise<OpenedConnection>;
  readonly closed: Promise<void>;
  readonly #inbound = new Inbound(() => void this.#reset());
  readonly #url: string;
  readonly #options: ConnectOptions;
  readonly #stop = new AbortController();
  readonly #opening = Promise.withResolvers<OpenedConnection>();
  readonly #closing = Promise.withResolvers<void>();
  #carrier: Carrier | undefined;
  #renewal: ReturnType<typeof setTimeout> | undefined;
  #writer: WritableStreamDefaultController | undefined;

  constructor(url: string, options: ConnectOptions) {
    this.#url = url;
    this.#options = options;
    this.opened = this.#opening.promise;
    this.closed = this.#closing.promise;
    // Whoever does not wait for them hears of it by the streams.
    for (const promise of [this.opened, this.closed]) promise.catch(() => {});
    this.readable = this.#inbound.readable;
    this.writable = this.#makeWritable();
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

  #reset(): Promise<void> {
    return this.#carried().then(
      (carrier) => carrier.reset(),
      () => {},
    );
  }

  async #begin(): Promise<void> {
    try {
      const wire = await this.#firstWire();
      if (wire.socket.protocol === TCP_PROTOCOL) this.#runV1(wire);
      else this.#onOpened(wire, new PlainConnection(wire, this.#inbound, this.#end));
    } catch (error) {
      this.#end(asError(error));
    }
  }

  async #firstWire(): Promise<Wire> {
    const until = Date.now() + (this.#options.retryMs ?? 0);
    const backoff = createBackoff();
    for (;;) {
      try {
        return await this.#openWire();
      } catch (error) {
        const pause = backoff.next();
        if (!asError(error).mayRetry || Date.now() + pause > until) throw error;
        await wait(pause, this.#stop.signal);
      }
    }
  }

  async #openWire(...more: string[]): Promise<Wire> {
    const { token, protocols = [], open } = this.#options;
    const offered = [TCP_PROTOCOL, ...more, ...protocols, ...credentials(await tokenOf(token))];
    return openWire({ url: this.#url, protocols: offered, signal: this.#stop.signal, open });
  }

  #onOpened({ socket: { protocol } }: Wire, carrier: Carrier, session = '', peer = ''): void {
    this.#carrier = carrier;
    this.#opening.resolve({ session, peer, protocol });
  }

  #runV1(wire: Wire): void {
    const connection: V1Connection = new V1Connection(wire, this.#inbound, {
      onOpened: ({ session, peer }) => this.#onOpened(wire, connection, session, peer),
      onExpiry: (expiresAt) => this.#renewBefore(expiresAt, connection),
      onLost: (error, forMs) => void this.#goOn(connection, error, Date.now() + forMs),
      onEnd: this.#end,
      onFinished: () => {
        if (!this.#options.allowHalfOpen) connection.finish();
      },
    });
  }

  async #goOn(connection: V1Connection, lost: ConnectionError, until: number): Promise<void> {
    const { signal } = this.#stop;
    const backoff = createBackoff({ firstMs: 200, mostMs: 5_000 });
    while (Date.now() < until && !signal.aborted) {
      try {
        connection.resume(await this.#openWire(TCP_RESUME_PROTOCOL));
        return;
      } catch (thrown) {
        const error = asError(thrown);
        if (!error.mayRetry) return connection.end(error);
      }
      await wait(backoff.next(), signal);
    }
    connection.end(lost);
  }

  #renewBefore(expiresAt: number, connection: V1Connection): void {
    clearTimeout(this.#renewal);
    if (expiresAt === 0 || typeof this.#options.token !== 'function') return;
    this.#renewal = setTimeout(() => void this.#renew(connection), untilRenewal(expiresAt));
  }

  async #renew(connection: V1Connection): Promise<void> {
    try {
      connection.authenticate((await tokenOf(this.#options.token)) ?? '');
    } catch (error) {
      connection.reset(3000, `no new token: ${asError(error).message}`);
    }
  }

  #makeWritable(): WritableStream<Uint8Array> {
    return new WritableStream({
      start: (controller) => {
        this.#writer = controller;
      },
      write: async (chunk) => {
        const carrier = await this.#carried();
        if (carrier.isFinishing) throw new ConnectionError(1000, 'the service has finished');
        await carrier.write(chunk);
      },
      close: async () => (await this.#carried()).finish(),
      abort: () => this.#reset(),
    });
  }

  readonly #onAbort = (): void => {
    const { reason } = this.#options.signal as AbortSignal;
    this.#stop.abort(reason);
    void this.#reset();
    this.#end(asError(reason, 1000));
  };

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
