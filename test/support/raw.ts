import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { PATIENCE_MS, tooLate, within } from './patience.ts';

/** WebSocket peers on raw sockets: they say exactly what a test tells them to, legal or not. */

export const TEXT = 1;
export const BINARY = 2;
export const CLOSE = 8;
export const PING = 9;
export const PONG = 10;

/** Masking keys must be hard to guess (RFC 6455 §5.3), but not for our own gateway. */
const KEY = Buffer.from([0x37, 0xfa, 0x21, 0x3d]);

export interface Frame {
  readonly opcode: number;
  readonly fin: boolean;
  readonly payload: Buffer;
}

/** An HTTP answer; header names in lower case. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

interface FrameOptions {
  readonly fin?: boolean;
  readonly masked?: boolean;
  /** What the header says, where it is to say something else than the payload. */
  readonly length?: number;
  /** RSV bits: 4 is RSV1. */
  readonly rsv?: number;
}

/** One frame, masked as a client's unless told otherwise. With `length` beyond the payload: the beginning of one. */
export function frame(opcode: number, payload: Buffer | string = '', options: FrameOptions = {}): Buffer {
  const { fin = true, masked = true, rsv = 0 } = options;
  const bytes = Buffer.from(payload);
  const first = (fin ? 0x80 : 0) | (rsv << 4) | opcode;
  const head = Buffer.concat([Buffer.from([first]), lengthField(options.length ?? bytes.length, masked)]);
  if (!masked) return Buffer.concat([head, bytes]);
  const body = bytes.map((byte, at) => byte ^ (KEY[at % 4] as number));
  return Buffer.concat([head, KEY, body]);
}

function lengthField(length: number, masked: boolean): Buffer {
  const bit = masked ? 0x80 : 0;
  if (length < 126) return Buffer.from([bit | length]);
  const field = Buffer.alloc(length < 65_536 ? 3 : 9);
  field[0] = bit | (length < 65_536 ? 126 : 127);
  if (length < 65_536) field.writeUInt16BE(length, 1);
  else field.writeBigUInt64BE(BigInt(length), 1);
  return field;
}

/** A Close frame with any code and reason. */
export function closeFrame(code: number, reason: string | Buffer = '', masked = true): Buffer {
  const payload = Buffer.concat([Buffer.from([code >> 8, code & 0xff]), Buffer.from(reason)]);
  return frame(CLOSE, payload, { masked });
}

/** The text of a handshake; a header set to undefined is left out, a list comes several times. */
export function handshake(path = '/', changes: Record<string, string | string[] | undefined> = {}): string {
  const headers = {
    Host: '127.0.0.1',
    Upgrade: 'websocket',
    Connection: 'Upgrade',
    'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
    ...changes,
  };
  const fields = Object.entries(headers).flatMap(([name, value]) =>
    [value ?? []].flat().map((one) => `${name}: ${one}\r\n`),
  );
  return `GET ${path} HTTP/1.1\r\n${fields.join('')}\r\n`;
}

/** The 101 that answers the request in `head`. */
export function switching(head: string, extra = ''): string {
  const key = /^sec-websocket-key: *(.*)\r$/im.exec(head)?.[1] ?? '';
  const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
  const lines = ['HTTP/1.1 101 Switching Protocols', 'Upgrade: websocket', 'Connection: Upgrade'];
  return `${lines.join('\r\n')}\r\nSec-WebSocket-Accept: ${accept}\r\n${extra}\r\n`;
}

export interface WireOptions {
  /** Frames it sends are masked. */
  readonly client?: boolean;
  /** Answers pings and Closes, and a FIN with its own. */
  readonly polite?: boolean;
}

/** One end of a connection, and all that has come through it. Open it half-open, or a FIN is answered by Node. */
export class Wire {
  readonly socket: Socket;
  polite: boolean;
  /** Head of the request or answer that came first, once it is whole. */
  head: string | undefined;
  readonly frames: Frame[] = [];
  /** Bytes that have come. */
  received = 0;
  /** How the other end finished, if it has. */
  end: 'fin' | 'reset' | undefined;
  #rest = Buffer.alloc(0);
  readonly #client: boolean;
  readonly #waiting = new Set<() => void>();

  constructor(socket: Socket, { client = false, polite = true }: WireOptions = {}) {
    this.socket = socket;
    this.#client = client;
    this.polite = polite;
    socket.on('error', () => this.#onEnd('reset'));
    socket.on('data', (chunk: Buffer) => this.#onData(chunk));
    socket.on('end', () => this.#onEnd('fin')).on('close', () => this.#onEnd('reset'));
  }

  write(bytes: Buffer | string): void {
    this.socket.write(bytes);
  }

  send(opcode: number, payload: Buffer | string = '', options: FrameOptions = {}): void {
    this.write(frame(opcode, payload, { masked: this.#client, ...options }));
  }

  sendClose(code: number, reason: string | Buffer = ''): void {
    this.write(closeFrame(code, reason, this.#client));
  }

  /** Resolves when the condition holds; it is looked at whenever something comes. */
  async until(condition: () => boolean, what: string, ms = PATIENCE_MS): Promise<void> {
    const deadline = AbortSignal.timeout(ms);
    while (!condition()) {
      if (deadline.aborted) throw tooLate(`${what}, but ${this.#summary()}`, ms);
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

  /** The HTTP answer; its body too unless it is a 101. */
  async answer(): Promise<Answer> {
    await this.until(() => this.head !== undefined || this.end !== undefined, 'an answer');
    const [line = '', ...fields] = (this.head ?? '').split('\r\n').filter((text) => text !== '');
    const status = Number(line.split(' ')[1] ?? 0);
    const headers = Object.fromEntries(fields.map(splitField));
    const length = Number(headers['content-length'] ?? 0);
    if (status !== 101) await this.until(() => this.#rest.length >= length || !!this.end, 'a body');
    return { status, headers, body: status === 101 ? '' : this.#rest.toString() };
  }

  /** The first data frame that has come, or comes. */
  async message(): Promise<Buffer> {
    const find = () => this.frames.find(({ opcode }) => opcode < CLOSE);
    await this.until(() => find() !== undefined || this.end !== undefined, 'a message');
    return find()?.payload ?? Buffer.alloc(0);
  }

  /** Waits for the end of the TCP connection: the close code and reason, if there was a Close. */
  async ended(ms?: number): Promise<{ code: number; reason: string } | undefined> {
    await this.until(() => this.end !== undefined, 'the end', ms);
    return this.close;
  }

  get close(): { code: number; reason: string } | undefined {
    const payload = this.frames.find(({ opcode }) => opcode === CLOSE)?.payload;
    if (payload === undefined) return undefined;
    if (payload.length === 0) return { code: 1005, reason: '' };
    return { code: payload.readUInt16BE(0), reason: payload.subarray(2).toString() };
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }

  #onData(chunk: Buffer): void {
    this.received += chunk.length;
    this.#rest = Buffer.concat([this.#rest, chunk]);
    if (this.head === undefined) this.#readHead();
    if (this.head !== undefined && this.isOpen) this.#readFrames();
    for (const wake of this.#waiting) wake();
  }

  /** The head was a request, or a 101: what follows are frames. */
  get isOpen(): boolean {
    return this.head !== undefined && /^(GET|HTTP\/1.1 101) /.test(this.head);
  }

  #readHead(): void {
    const end = this.#rest.indexOf('\r\n\r\n');
    if (end < 0) return;
    this.head = this.#rest.subarray(0, end + 4).toString('latin1');
    this.#rest = this.#rest.subarray(end + 4);
  }

  #readFrames(): void {
    for (let taken = readFrame(this.#rest); taken !== undefined; taken = readFrame(this.#rest)) {
      this.#rest = this.#rest.subarray(taken.size);
      this.frames.push(taken.frame);
      if (this.polite) this.#answerTo(taken.frame);
    }
  }

  #answerTo({ opcode, payload }: Frame): void {
    if (opcode === PING) this.send(PONG, payload);
    if (opcode === CLOSE) this.send(CLOSE, payload.subarray(0, 2));
  }

  #onEnd(how: 'fin' | 'reset'): void {
    this.end ??= how;
    if (this.polite) this.socket.end();
    for (const wake of this.#waiting) wake();
  }

  #summary(): string {
    const frames = this.frames.slice(-20).map(({ opcode }) => opcode);
    return `${this.received} bytes, last frames [${frames.join(' ')}], end ${this.end}, ${this.head?.split('\r\n', 1)}`;
  }
}

function splitField(line: string): [string, string] {
  const colon = line.indexOf(':');
  return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
}

/** The whole frames that bytes begin with. */
export function framesIn(bytes: Buffer): Frame[] {
  const taken = readFrame(bytes);
  return taken === undefined ? [] : [taken.frame, ...framesIn(bytes.subarray(taken.size))];
}

function readFrame(bytes: Buffer): { frame: Frame; size: number } | undefined {
  if (bytes.length < 2) return undefined;
  const [first, second] = [bytes[0] as number, bytes[1] as number];
  const short = second & 0x7f;
  const lengthEnd = 2 + (short < 126 ? 0 : short === 126 ? 2 : 8);
  const from = lengthEnd + (second >= 0x80 ? 4 : 0);
  if (bytes.length < from) return undefined;
  const length =
    short < 126 ? short : short === 126 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2));
  if (bytes.length < from + length) return undefined;
  const key = bytes.subarray(lengthEnd, from);
  const body = bytes.subarray(from, from + length);
  const payload = key.length === 0 ? body : body.map((byte, at) => byte ^ (key[at % 4] as number));
  const frame = { opcode: first & 0x0f, fin: first >= 0x80, payload: Buffer.from(payload) };
  return { frame, size: from + length };
}

/** Opens a connection; nothing is said yet. */
export async function dial(port: number, options: WireOptions = {}): Promise<Wire> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
  const wire = new Wire(socket, { client: true, ...options });
  await within(once(socket, 'connect'), 'a connection');
  return wire;
}

/** Opens a connection and sends bytes. */
export async function say(port: number, bytes: string | Buffer): Promise<Wire> {
  const wire = await dial(port);
  wire.write(bytes);
  return wire;
}

/** Opens a WebSocket; fails unless it is accepted. */
export async function open(
  port: number,
  path: string,
  headers: Record<string, string | undefined> = {},
): Promise<Wire> {
  const wire = await say(port, handshake(path, headers));
  const { status, body } = await wire.answer();
  if (status !== 101) throw new Error(`answered ${status} ${body}`);
  return wire;
}

/** Sends messages of a megabyte for as long as they are read. */
export function flood(wire: Wire): void {
  const megabyte = frame(TEXT, Buffer.alloc(2 ** 20));
  const write = () => {
    while (wire.end === undefined && wire.close === undefined && wire.socket.write(megabyte));
  };
  wire.socket.on('drain', write);
  write();
}
