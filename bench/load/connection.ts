import { once } from 'node:events';
import { connect, type OnReadOpts, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { Endpoint } from '../types.ts';
import { CLOSE, PayloadCounter, pong } from './frames.ts';

/** All connections read into this one: what is read is dealt with before the next read. */
export const shared = Buffer.allocUnsafe(256 * 1024);

/**
 * A client's WebSocket on a raw socket. `onPayload` is told how many payload bytes have come; set it after `open`.
 * `failed` rejects when the connection ends or fails before it is closed here.
 */
export class Connection {
  onPayload: (bytes: number) => void = () => undefined;
  readonly socket: Socket;
  readonly failed: Promise<never>;
  readonly #counter: PayloadCounter;
  #fail: (error: Error) => void = () => undefined;
  /** What has come of the response's head; undefined once it is whole. */
  #head: string | undefined = '';
  #leaving = false;
  #opened: () => void = () => undefined;

  private constructor(endpoint: Endpoint) {
    this.failed = new Promise((_resolve, reject) => {
      this.#fail = reject;
    });
    this.failed.catch(() => undefined);
    this.socket = dial(endpoint, { buffer: shared, callback: (length) => this.#onRead(length) });
    this.socket.on('error', this.#fail).on('close', () => this.#fail(new Error('the connection ended')));
    this.#counter = new PayloadCounter({
      onPing: (payload) => this.socket.write(pong(payload)),
      onClose: (payload) => this.#onClose(payload),
    });
  }

  /** Connects and resolves once the upgrade is through; rejects with the status line when it is refused. */
  static async open(endpoint: Endpoint, request: string): Promise<Connection> {
    const connection = new Connection(endpoint);
    const opened = new Promise<void>((resolve) => {
      connection.#opened = resolve;
    });
    connection.socket.write(request);
    await Promise.race([opened, connection.failed]);
    return connection;
  }

  /** Keeps what comes in the array returned. */
  keep(): Buffer[] {
    this.#counter.kept = [];
    return this.#counter.kept;
  }

  /** Says Close and waits until the peer has ended the connection. */
  async close(): Promise<void> {
    this.#leaving = true;
    const closed = once(this.socket, 'close');
    this.socket.write(CLOSE);
    await closed;
  }

  #onRead(length: number): true {
    if (this.#head === undefined) this.#onFrames(length, shared);
    else this.#onHead(this.#head + shared.toString('latin1', 0, length));
    return true;
  }

  #onHead(head: string): void {
    const end = head.indexOf('\r\n\r\n');
    this.#head = head;
    if (end < 0) return;
    if (!head.startsWith('HTTP/1.1 101 ')) {
      this.#fail(new Error(head.slice(0, head.indexOf('\r\n'))));
      return;
    }
    this.#head = undefined;
    this.#opened();
    const rest = Buffer.from(head.slice(end + 4), 'latin1');
    if (rest.length > 0) this.#onFrames(rest.length, rest);
  }

  #onClose(payload: Buffer): void {
    if (this.#leaving) this.socket.end();
    else this.#fail(new Error(`closed: ${payload.subarray(2)}`));
  }

  #onFrames(length: number, bytes: Buffer): void {
    const payload = this.#counter.count(bytes, length);
    if (payload > 0) this.onPayload(payload);
  }
}

/** Connects, over TLS where the endpoint has it, with no check of its certificate. */
export function dial({ port, tls }: Endpoint, onread: OnReadOpts): Socket {
  const options = { host: '127.0.0.1', port, onread, noDelay: true };
  return tls
    ? connectTls({ ...options, servername: 'localhost', rejectUnauthorized: false })
    : connect(options);
}

/** The upgrade request, byte by byte. */
export function upgradeRequest({ port, path, protocol }: Endpoint, token: string): string {
  const lines = [
    `GET ${path} HTTP/1.1`,
    `Host: localhost:${port}`,
    'Upgrade: websocket',
    'Connection: Upgrade',
    'Sec-WebSocket-Key: c2FsbHlwb3J0LWJlbmNoIQ==',
    'Sec-WebSocket-Version: 13',
    `Authorization: Bearer ${token}`,
  ];
  if (protocol) lines.push(`Sec-WebSocket-Protocol: ${protocol}`);
  return `${lines.join('\r\n')}\r\n\r\n`;
}
