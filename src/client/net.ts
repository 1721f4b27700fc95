import { Duplex } from 'node:stream';
import { LONGEST_MS } from './attempt.ts';
import { type ConnectOptions, connect as connectStreams, type TcpConnection } from './connect.ts';
import type { ConnectionError } from './errors.ts';

/**
 * Enough of `node:net` for programs of Node in a page: alias `net` to it in the bundler, and call `configure` first.
 * Bundlers bring a `stream` of their own.
 */

/** How a host and port become the URL of a gateway's route, and what its connections are opened with. */
export interface NetOptions extends ConnectOptions {
  readonly url: string | URL | ((host: string, port: number) => string | URL);
}

let configured: NetOptions | undefined;

/** Says where the gateway is. A page has one, as it has one network. */
export function configure(options: NetOptions): void {
  configured = options;
}

interface Where {
  readonly host?: string | undefined;
  readonly port?: number | string | undefined;
}

/** Of a Node program's errors, the `code` that it looks at. */
const CODES: Readonly<Record<string, string>> = {
  connection_refused: 'ECONNREFUSED',
  connection_terminated: 'ECONNRESET',
  connection_read_timeout: 'ETIMEDOUT',
  connection_timeout: 'ETIMEDOUT',
  connection_write_timeout: 'ETIMEDOUT',
  destination_ip_prohibited: 'EACCES',
  destination_ip_unroutable: 'EHOSTUNREACH',
  destination_unavailable: 'EHOSTUNREACH',
  dns_error: 'ENOTFOUND',
  dns_timeout: 'ETIMEDOUT',
  http_request_denied: 'EACCES',
};

/** A socket of `node:net` whose bytes go through the gateway. */
export class Socket extends Duplex {
  connecting = false;
  remoteAddress: string | undefined;
  remotePort: number | undefined;
  bytesRead = 0;
  bytesWritten = 0;
  /** Milliseconds without a byte after which `timeout` is told. */
  timeout: number | undefined;
  readonly #options: NetOptions | undefined;
  readonly #abort = new AbortController();
  #connection: TcpConnection | undefined;
  #reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
  #writer: WritableStreamDefaultWriter<Uint8Array> | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: { allowHalfOpen?: boolean } & Partial<NetOptions> = {}) {
    super({ allowHalfOpen: options.allowHalfOpen ?? false });
    this.#options = options.url === undefined ? undefined : (options as NetOptions);
  }

  get pending(): boolean {
    return this.#writer === undefined;
  }

  get readyState(): 'opening' | 'open' | 'readOnly' | 'writeOnly' | 'closed' {
    if (this.connecting) return 'opening';
    if (this.readable) return this.writable ? 'open' : 'readOnly';
    return this.writable ? 'writeOnly' : 'closed';
  }

  /** As Node's: `(port, host?)` or `({ port, host })`, and a listener for `connect`. */
  connect(where: Where | number | string, ...more: unknown[]): this {
    const { host = 'localhost', port = 0 } =
      typeof where === 'object' ? where : { port: where, host: more.find(isText) };
    const listener = more.find((one): one is () => void => typeof one === 'function');
    if (listener !== undefined) this.once('connect', listener);
    const options = this.#options ?? configured;
    if (options === undefined) throw new Error('say where the gateway is: configure({ url, token })');
    const { url } = options;
    this.connecting = true;
    this.remoteAddress = host;
    this.remotePort = Number(port);
    const at = typeof url === 'function' ? url(host, Number(port)) : url;
    const { signal } = this.#abort;
    const either = options.signal === undefined ? signal : AbortSignal.any([signal, options.signal]);
    this.#connection = connectStreams(at, { ...options, signal: either, allowHalfOpen: true });
    this.#connection.opened.then(
      // In a turn of its own: what a listener throws is its program's fault, and not the connection's.
      () => void setTimeout(() => this.#onOpened()),
      (error) => this.destroy(this.#errorOf(error)),
    );
    return this;
  }

  /** As Node's: 0 is none, and takes the listener away. */
  setTimeout(ms: number, listener?: () => void): this {
    this.timeout = ms;
    if (listener !== undefined && ms > 0) this.once('timeout', listener);
    if (listener !== undefined && ms === 0) this.removeListener('timeout', listener);
    this.#touch();
    return this;
  }

  setNoDelay(): this {
    return this;
  }

  setKeepAlive(): this {
    return this;
  }

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }

  destroySoon(): void {
    this.end(() => this.destroy());
  }

  resetAndDestroy(): this {
    this.#abort.abort();
    return this.destroy();
  }

  address(): object {
    return {};
  }

  #onOpened(): void {
    if (this.destroyed) return;
    const { readable, writable } = this.#connection as TcpConnection;
    this.#reader = readable.getReader();
    this.#writer = writable.getWriter();
    // Whoever reads and writes hears of it.
    for (const { closed } of [this.#reader, this.#writer]) closed.catch(() => {});
    this.connecting = false;
    this.#touch();
    this.emit('connect');
    this.emit('ready');
  }

  override async _read(): Promise<void> {
    if (this.#reader === undefined) {
      this.once('connect', () => void this._read());
      return;
    }
    try {
      const { value, done } = await this.#reader.read();
      this.#touch();
      this.bytesRead += value?.length ?? 0;
      // What programs call a Buffer is the Buffer of their bundler.
      this.push(done ? null : Buffer.from(value));
    } catch (error) {
      this.destroy(this.#errorOf(error as ConnectionError));
    }
  }

  override _write(chunk: Uint8Array, _encoding: string, callback: (error?: Error) => void): void {
    const writer = this.#writer;
    if (writer === undefined) {
      this.once('connect', () => this._write(chunk, _encoding, callback));
      return;
    }
    this.#touch();
    this.bytesWritten += chunk.length;
    writer.write(chunk).then(
      () => {
        this.#touch();
        callback();
      },
      (error) => callback(this.#errorOf(error)),
    );
  }

  override _final(callback: (error?: Error) => void): void {
    if (this.connecting) {
      this.once('connect', () => this._final(callback));
      return;
    }
    if (this.#writer === undefined) callback();
    else
      this.#writer.close().then(
        () => callback(),
        () => callback(),
      );
  }

  /** What was written still goes out, where nothing was waiting; everything else is a reset. */
  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    clearTimeout(this.#timer);
    this.connecting = false;
    if (error !== null || this.#writer === undefined || this.writableLength > 0) this.#abort.abort();
    else void this.#connection?.close().catch(() => {});
    callback(error);
  }

  #touch(): void {
    clearTimeout(this.#timer);
    if (!this.timeout || this.destroyed) return;
    this.#timer = setTimeout(() => this.emit('timeout'), Math.min(this.timeout, LONGEST_MS));
    // As Node's, it keeps no program alive; pages have numbers there.
    if (typeof this.#timer === 'object') this.#timer.unref();
  }

  #errorOf(error: ConnectionError): Error {
    const { remoteAddress: address, remotePort: port } = this;
    const isUnreached = this.connecting && error.code === 1006;
    const code = CODES[error.error] ?? (isUnreached ? 'ECONNREFUSED' : 'ECONNRESET');
    const syscall = this.connecting ? 'connect' : 'read';
    return Object.assign(new Error(`${error.message} (${address}:${port})`), {
      code,
      syscall,
      address,
      port,
    });
  }
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

/** As Node's. */
export function connect(where: Where | number | string, ...more: unknown[]): Socket {
  return new Socket().connect(where, ...more);
}

export const createConnection = connect;
export const Stream = Socket;

/** The version of an IP address that a text is, or 0. */
export function isIP(text: string): 0 | 4 | 6 {
  if (/^(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\.(?!$)|$)){4}$/.test(text)) return 4;
  return /^[\da-f:.]*:[\da-f:.]*$/i.test(text) ? 6 : 0;
}

export const isIPv4 = (text: string): boolean => isIP(text) === 4;
export const isIPv6 = (text: string): boolean => isIP(text) === 6;

export default { Socket, Stream, connect, createConnection, configure, isIP, isIPv4, isIPv6 };
