import { once } from 'node:events';
import {
  ACK_BYTES,
  TCP_RESUME_PROTOCOL,
  type TcpMessage,
  WINDOW_BYTES,
} from '../../src/tcp-protocol/types.ts';
import type { Random } from './seeded.ts';
import { RawClient, type RawOptions } from './tcp-v1.ts';

/** Counters of four bytes each, from `first` on: no two pieces of it are the same. */
export function countingBytes(size: number, first = 0): Buffer {
  const bytes = Buffer.alloc(size);
  for (let at = 0; at < size; at += 4) bytes.writeUInt32BE(first + at / 4, at);
  return bytes;
}

/** Of its messages of DATA, in bytes. */
const LARGEST = 16 * 1024;

/** A source of what is sent, so that it need not be in memory: so many bytes from an offset on. */
export interface Content {
  readonly length: number;
  slice(from: number, to: number): Buffer;
}

export interface ReturnerOptions extends RawOptions {
  readonly random: Random;
  /** Is handed what comes, in order and once. */
  readonly onData: (bytes: Buffer) => void;
}

/**
 * A client of sallyport.tcp.v1 that sends its content, takes what comes, and goes on with the same connection when its WebSocket
 * is cut, which it does itself.
 */
export class TcpReturner {
  readonly #url: string;
  readonly #content: Content;
  readonly #options: ReturnerOptions;
  #client!: RawClient;
  #resumeId: Uint8Array | undefined;
  // What it receives.
  received = 0;
  #acknowledged = 0;
  #hasFin = false;
  // What it sends.
  #next = 0;
  #known = 0;
  #credit = 0;
  #isFinSent = false;
  #moved = 0;
  #cutAfter = Infinity;
  #isCut = false;

  constructor(url: string, content: Content, options: ReturnerOptions) {
    this.#url = url;
    this.#content = content;
    this.#options = options;
  }

  /** Comes, or comes back, and is lost once so many bytes have moved either way; `false` if the connection ended before. */
  async comeUntil(bytes: number): Promise<boolean> {
    this.#moved = 0;
    this.#isCut = false;
    this.#cutAfter = bytes;
    const { headers, protocols = [] } = this.#options;
    const isBack = this.#resumeId !== undefined;
    const client = new RawClient(this.#url, {
      ...(headers && { headers }),
      protocols: isBack ? [TCP_RESUME_PROTOCOL, ...protocols] : protocols,
    });
    this.#client = client;
    client.onData = () => {};
    client.onMessage = (message) => this.#onMessage(client, message);
    client.socket.on('open', () => this.#onOpen());
    const [code] = (await once(client.socket, 'close')) as [number];
    if (this.#isCut) return true;
    if (code === 1000) return false;
    if (code !== 1006) throw new Error(`closed: ${client}`);
    return true;
  }

  #onOpen(): void {
    if (this.#resumeId === undefined) return;
    const { received: offset } = this;
    this.#acknowledged = offset;
    this.#client.send({ type: 'RESUME', resumeId: this.#resumeId, offset, credit: WINDOW_BYTES });
  }

  #onMessage(client: RawClient, message: TcpMessage): void {
    // What ws had read by then it still hands on.
    if (client !== this.#client || this.#isCut) return;
    switch (message.type) {
      case 'OPENED':
        this.#resumeId = message.resumeId;
        this.#credit = WINDOW_BYTES;
        break;
      case 'RESUMED':
        this.#next = message.offset;
        this.#known = message.offset;
        this.#credit = message.credit;
        this.#isFinSent = false;
        break;
      case 'DATA':
        this.#onData(Buffer.from(message.data));
        break;
      case 'WINDOW':
        this.#credit += message.credit;
        break;
      case 'ACK':
        this.#known = message.offset;
        break;
      case 'FIN':
        this.#hasFin = true;
        break;
      default:
        throw new Error(`${message.type} has come`);
    }
    if (!this.#isCut) this.#pump();
  }

  #onData(bytes: Buffer): void {
    if (this.#hasFin) throw new Error('DATA behind FIN');
    this.#options.onData(bytes);
    this.received += bytes.length;
    this.#client.send({ type: 'WINDOW', credit: bytes.length });
    if (this.received - this.#acknowledged >= ACK_BYTES) {
      this.#acknowledged = this.received;
      this.#client.send({ type: 'ACK', offset: this.received });
    }
    this.#move(bytes.length);
  }

  #pump(): void {
    const { length } = this.#content;
    while (!this.#isCut && this.#next < length) {
      const most = Math.min(this.#credit, this.#known + WINDOW_BYTES - this.#next, length - this.#next);
      if (most <= 0) return;
      const size = Math.min(most, 1 + this.#options.random(LARGEST));
      this.#client.data(this.#content.slice(this.#next, this.#next + size));
      this.#next += size;
      this.#credit -= size;
      this.#move(size);
    }
    if (this.#next < length || this.#isFinSent || this.#isCut) return;
    this.#isFinSent = true;
    this.#client.send({ type: 'FIN' });
  }

  #move(bytes: number): void {
    this.#moved += bytes;
    if (this.#moved < this.#cutAfter) return;
    this.#isCut = true;
    this.#client.socket.terminate();
  }
}
