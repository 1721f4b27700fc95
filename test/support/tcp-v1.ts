import { once } from 'node:events';
import { WebSocket } from 'ws';
import { decodeMessage } from '../../src/tcp-protocol/decode.ts';
import { encodeMessage } from '../../src/tcp-protocol/encode.ts';
import { TCP_PROTOCOL, type TcpMessage } from '../../src/tcp-protocol/types.ts';
import { eventually, within } from './patience.ts';

/** A client of sallyport.tcp.v1 that does nothing by itself: it says what a test tells it to, and keeps what comes. */

type Of<T extends TcpMessage['type']> = Extract<TcpMessage, { type: T }>;

export interface RawOptions {
  /** Offered besides sallyport.tcp.v1, before it. */
  readonly protocols?: readonly string[];
  readonly headers?: Readonly<Record<string, string>>;
}

export class RawClient {
  readonly socket: WebSocket;
  readonly messages: TcpMessage[] = [];
  /** How its WebSocket was closed. */
  closed: { readonly code: number; readonly reason: string } | undefined;
  #data: Buffer[] = [];
  /** Bytes of DATA so far. */
  received = 0;
  onData: (bytes: Buffer) => void = (bytes) => void this.#data.push(bytes);
  onMessage: (message: TcpMessage) => void = () => {};

  constructor(url: string, { protocols = [], headers = {} }: RawOptions = {}) {
    this.socket = new WebSocket(url, [...protocols, TCP_PROTOCOL], { headers, perMessageDeflate: false });
    this.socket.on('error', () => {});
    this.socket.on('message', (bytes: Buffer) => this.#onMessage(bytes));
    this.socket.on('close', (code, reason) => {
      this.closed = { code, reason: reason.toString() };
    });
  }

  /** Resolves when it is open. */
  static async open(url: string, options?: RawOptions): Promise<RawClient> {
    const client = new RawClient(url, options);
    await within(once(client.socket, 'open'), 'an open WebSocket');
    return client;
  }

  /** All DATA so far, as text. */
  get text(): string {
    return Buffer.concat(this.#data).toString('latin1');
  }

  send(...messages: readonly TcpMessage[]): void {
    for (const message of messages) this.socket.send(encodeMessage(message));
  }

  data(...texts: readonly (string | Buffer)[]): void {
    this.send(...texts.map((text) => ({ type: 'DATA' as const, data: Buffer.from(text) })));
  }

  has(type: TcpMessage['type']): boolean {
    return this.messages.some((message) => message.type === type);
  }

  /** The first message of a type, now or when it comes. */
  async the<T extends TcpMessage['type']>(type: T, ms?: number): Promise<Of<T>> {
    const find = () => this.messages.find((message): message is Of<T> => message.type === type);
    await eventually(
      () => find() !== undefined,
      () => `${type}, but ${this}`,
      ms,
    );
    return find() as Of<T>;
  }

  /** Resolves when so much has come. */
  async textOf(length: number): Promise<string> {
    await eventually(
      () => this.received >= length,
      () => `${length} bytes, but ${this}`,
    );
    return this.text;
  }

  /** Resolves when the gateway has acted on all that was said before, and what it has said to that has come. */
  async roundTrip(): Promise<void> {
    const ponged = once(this.socket, 'pong');
    this.socket.ping();
    await within(ponged, () => `a pong, but ${this}`);
  }

  /** Resolves with the close code and its reason. */
  async end(ms?: number): Promise<{ readonly code: number; readonly reason: string }> {
    await eventually(
      () => this.closed !== undefined,
      () => `a close, but ${this}`,
      ms,
    );
    return this.closed as { code: number; reason: string };
  }

  toString(): string {
    const types = this.messages.map(({ type }) => type).filter((type) => type !== 'DATA');
    return `${types.join(' ')}, ${this.received} bytes, closed ${JSON.stringify(this.closed)}`;
  }

  #onMessage(bytes: Buffer): void {
    const message = decodeMessage(bytes);
    this.messages.push(message.type === 'DATA' ? { type: 'DATA', data: new Uint8Array() } : message);
    if (message.type === 'DATA') {
      this.received += message.data.length;
      this.onData(Buffer.from(message.data));
    }
    this.onMessage(message);
  }
}
