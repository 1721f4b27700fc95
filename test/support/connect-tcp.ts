import { createHash } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { onTestFinished } from 'vitest';
import { PATIENCE_MS, tooLate } from './patience.ts';

/** A client of connect-tcp over HTTP/1.1 that says exactly what a test tells it to (draft-ietf-httpbis-connect-tcp-12). */

const DATA = 0x2028d7f2;

export interface Asking {
  readonly path?: string;
  /** In place of the request's own; undefined leaves one out. */
  readonly headers?: Readonly<Record<string, string | undefined>>;
  readonly method?: string;
  /** Sent behind the request, without waiting for an answer. */
  readonly early?: Buffer;
  /** The authority that has signed the gateway's certificate, where it speaks TLS. */
  readonly ca?: string;
  readonly maxVersion?: 'TLSv1.2';
  /** The type of its DATA capsules; FINAL_DATA is the next. */
  readonly data?: number;
}

/** A capsule, its type and length in four bytes each. */
export function capsule(type: number, payload: Buffer | string = ''): Buffer {
  const bytes = Buffer.from(payload);
  const head = Buffer.alloc(8);
  head.writeUInt32BE(0x8000_0000 + type, 0);
  head.writeUInt32BE(0x8000_0000 + bytes.length, 4);
  return Buffer.concat([head, bytes]);
}

export class CapsulePeer {
  readonly socket: Socket | TLSSocket;
  /** Statuses of what came before the answer. */
  readonly interim: number[] = [];
  status = 0;
  headers: Record<string, string> = {};
  /** Of an answer that is no 101. */
  body = '';
  /** Of the stream. */
  received = 0;
  text = '';
  readonly hash = createHash('sha256');
  /** Its FINAL_DATA has come. */
  isFinal = false;
  /** How the gateway has ended the connection. */
  end: 'fin' | 'reset' | undefined;
  readonly #data: number;
  #rest: Buffer = Buffer.alloc(0);
  #type = 0;
  #left = 0;
  readonly #waiting = new Set<() => void>();

  constructor(socket: Socket | TLSSocket, data = DATA) {
    this.socket = socket;
    this.#data = data;
    socket.on('data', (chunk: Buffer) => this.#onBytes(chunk));
    socket.on('end', () => this.#onEnd('fin')).on('error', () => this.#onEnd('reset'));
    socket.on('close', () => this.#onEnd('reset'));
  }

  /** Sends a request to a gateway on this machine; for what comes of it ask `answered`. */
  static ask(port: number, asking: Asking = {}): CapsulePeer {
    const { path = '/tcp', method = 'GET', headers, early = Buffer.alloc(0), ca, maxVersion, data } = asking;
    const raw = connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
    raw.on('error', () => {});
    const socket =
      ca === undefined ? raw : connectTls({ socket: raw, ca, maxVersion, servername: 'localhost' });
    onTestFinished(() => void socket.destroy());
    const fields = {
      Host: 'localhost',
      Connection: 'Upgrade',
      Upgrade: 'connect-tcp-12',
      'Capsule-Protocol': '?1',
      ...headers,
    };
    const lines = Object.entries(fields).flatMap(([name, value]) =>
      value === undefined ? [] : [`${name}: ${value}\r\n`],
    );
    const peer = new CapsulePeer(socket, data);
    socket.write(Buffer.concat([Buffer.from(`${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n`), early]));
    return peer;
  }

  /** The same, and waits for the answer, its body too. */
  static async answered(port: number, asking?: Asking): Promise<CapsulePeer> {
    const peer = CapsulePeer.ask(port, asking);
    await peer.until(() => peer.status === 101 || peer.end !== undefined, 'an answer');
    return peer;
  }

  /** The same; fails unless the protocol is switched. */
  static async open(port: number, asking?: Asking): Promise<CapsulePeer> {
    const peer = await CapsulePeer.answered(port, asking);
    if (peer.status !== 101) throw new Error(`answered ${peer.status} ${peer.body}`);
    return peer;
  }

  send(...payloads: readonly (Buffer | string)[]): boolean {
    return this.socket.write(Buffer.concat(payloads.map((payload) => capsule(this.#data, payload))));
  }

  final(payload: Buffer | string = ''): void {
    this.socket.write(capsule(this.#data + 1, payload));
  }

  /** Resolves when the condition holds, which is looked at whenever something comes. */
  async until(condition: () => boolean, what: string, ms = PATIENCE_MS): Promise<void> {
    const deadline = AbortSignal.timeout(ms);
    while (!condition()) {
      if (deadline.aborted)
        throw tooLate(`${what}, but ${this.status}, ${this.received} bytes, end ${this.end}`, ms);
      await new Promise<void>((resolve) => {
        const wake = () => {
          deadline.removeEventListener('abort', wake);
          this.#waiting.delete(wake);
          resolve();
        };
        this.#waiting.add(wake);
        deadline.addEventListener('abort', wake);
      });
    }
  }

  async ended(): Promise<'fin' | 'reset' | undefined> {
    await this.until(() => this.end !== undefined, 'the end');
    return this.end;
  }

  #onBytes(chunk: Buffer): void {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    while (this.status === 0 && this.#readHead());
    if (this.status === 101) this.#readCapsules();
    else if (this.status !== 0) this.body = this.#rest.toString();
    for (const wake of this.#waiting) wake();
  }

  #readHead(): boolean {
    const end = this.#rest.indexOf('\r\n\r\n');
    if (end < 0) return false;
    const [line = '', ...fields] = this.#rest.toString('latin1', 0, end).split('\r\n');
    this.#rest = this.#rest.subarray(end + 4);
    const status = Number(line.split(' ')[1]);
    if (status < 200 && status !== 101) {
      this.interim.push(status);
      return true;
    }
    this.status = status;
    this.headers = Object.fromEntries(
      fields.map((field) => {
        const colon = field.indexOf(':');
        return [field.slice(0, colon).toLowerCase(), field.slice(colon + 1).trim()];
      }),
    );
    return false;
  }

  #readCapsules(): void {
    while (this.#rest.length > 0) {
      if (this.#left === 0 && !this.#readCapsuleHead()) return;
      const payload = this.#rest.subarray(0, this.#left);
      this.#rest = this.#rest.subarray(payload.length);
      this.#left -= payload.length;
      this.#onPayload(payload);
    }
  }

  #onPayload(payload: Buffer): void {
    this.received += payload.length;
    this.hash.update(payload);
    if (this.text.length < 4096) this.text += payload.toString('latin1', 0, 4096);
    if (this.#left === 0 && this.#type === this.#data + 1) this.isFinal = true;
  }

  #readCapsuleHead(): boolean {
    const type = readInteger(this.#rest, 0);
    const length = type && readInteger(this.#rest, type.size);
    if (type === undefined || length === undefined) return false;
    this.#rest = this.#rest.subarray(type.size + length.size);
    this.#type = type.value;
    this.#left = length.value;
    if (this.#type !== this.#data && this.#type !== this.#data + 1) throw new Error(`type ${this.#type}`);
    if (this.isFinal) throw new Error('data after FINAL_DATA');
    if (this.#left === 0) this.#onPayload(Buffer.alloc(0));
    return true;
  }

  #onEnd(how: 'fin' | 'reset'): void {
    this.end ??= how;
    for (const wake of this.#waiting) wake();
  }
}

/** A variable-length integer of at most four bytes (RFC 9000 §16). */
function readInteger(bytes: Buffer, at: number): { value: number; size: number } | undefined {
  const first = bytes[at];
  if (first === undefined) return undefined;
  const size = 1 << (first >> 6);
  if (bytes.length < at + size) return undefined;
  return { value: bytes.readUIntBE(at, size) & (size === 4 ? 0x3fffffff : size === 2 ? 0x3fff : 0x3f), size };
}
