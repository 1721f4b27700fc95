import { once } from 'node:events';
import { connect, type OnReadOpts, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { encodeMessage } from '../../src/tcp-protocol/encode.ts';
import { TCP_PROTOCOL, TYPES, WINDOW_BYTES } from '../../src/tcp-protocol/types.ts';
import type { Endpoint } from '../types.ts';
import { CLOSE, clientFrame, PayloadCounter, pong } from './frames.ts';

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
  /** Of sallyport.tcp.v1: bytes since credit was given last, and how many of them call for it. */
  #received = 0;
  readonly #grant: number;
  #leaving = false;
  #opened: () => void = () => undefined;

  private constructor(endpoint: Endpoint) {
    this.failed = new Promise((_resolve, reject) => {
      this.#fail = reject;
    });
    this.failed.catch(() => undefined);
    this.socket = dial(endpoint, { buffer: shared, callback: (length) => this.#onRead(length) });
    this.socket.on('error', this.#fail).on('close', () => this.#fail(new Error('the connection ended')));
    const isTyped = endpoint.protocol === TCP_PROTOCOL;
    this.#grant = isTyped ? WINDOW_BYTES / 2 : Infinity;
    this.#counter = new PayloadCounter({
      onPing: (payload) => this.socket.write(pong(payload)),
      onClose: (payload) => this.#onClose(payload),
      // What is in flight is less than a window: credit is never waited for.
      ...(isTyped && { onMessage() {} }),
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

  #giveCredit(): void {
    this.socket.write(clientFrame(Buffer.from(encodeMessage({ type: 'WINDOW', credit: this.#received }))));
    this.#received = 0;
  }

  #onClose(payload: Buffer): void {
    if (this.#leaving) this.socket.end();
    else this.#fail(new Error(`closed: ${payload.subarray(2)}`));
  }

  #onFrames(length: number, bytes: Buffer): void {
    const payload = this.#counter.count(bytes, length);
    this.#received += payload;
    if (this.#received >= this.#grant) this.#giveCredit();
    if (payload > 0) this.onPayload(payload);
  }
}

/** The frame of a message to `endpoint` with these bytes: of sallyport.tcp.v1 where that is spoken. */
export function messageFrame({ protocol }: Endpoint, bytes: Buffer, key = Buffer.alloc(4)): Buffer {
  const isTyped = protocol === TCP_PROTOCOL;
  return clientFrame(isTyped ? Buffer.concat([Buffer.of(TYPES.DATA), bytes]) : bytes, key);
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
