import { type Duplex, duplexPair, Writable } from 'node:stream';
import type { End, EndEvents } from '../../src/bridge/closing.ts';
import type { Ending, Link, PeerName, SessionHandle } from '../../src/bridge/contract.ts';
import { type ErrorCode, GatewayError } from '../../src/errors.ts';
import { turns } from './pairs.ts';
import { CLOSE, type Frame, framesIn } from './raw.ts';

/** What the parts of a bridge are made of, without a gateway around them: sessions, streams in memory, ends that keep a diary. */

export interface TestSession extends SessionHandle {
  /** What the bridge has introduced itself with. */
  link: Link | undefined;
}

/** A session that lets everything pass and has minutes of time, with `changes` applied. */
export function sessionOf(changes: Partial<SessionHandle> = {}): TestSession {
  return {
    id: 's1',
    up: { messages: 0, bytes: 0 },
    down: { messages: 0, bytes: 0 },
    stallMs: 60_000,
    closeMs: 60_000,
    messageSize: Infinity,
    fragments: 16_384,
    link: undefined,
    expiresAt: undefined,
    extend() {},
    goesOn() {},
    attach(link) {
      this.link = link;
    },
    admitMessage: () => 0,
    admitBytes: () => 0,
    ...changes,
  };
}

/** An ending of the gateway's for a reason of the failure table. */
export function endingOf(code: ErrorCode, changes: Partial<Ending> = {}): Ending {
  const error = new GatewayError(code);
  return { code: error.close, reason: error.message, by: 'gateway', clean: false, error, ...changes };
}

/** The far end of a connection in memory: it says what it is told to, and keeps what comes. */
export class FarEnd {
  readonly stream: Duplex;
  #got: Buffer[] = [];
  hasEnded = false;

  constructor(stream: Duplex) {
    this.stream = stream;
    stream.on('data', (chunk: Buffer) => this.#got.push(chunk));
    stream.on('end', () => {
      this.hasEnded = true;
    });
    stream.on('error', () => {});
  }

  /** Sends bytes, and waits until they have been read and acted upon. */
  async say(...bytes: readonly Buffer[]): Promise<void> {
    this.stream.write(Buffer.concat(bytes));
    await turns(3);
  }

  get got(): Buffer {
    return Buffer.concat(this.#got);
  }
  get frames(): readonly Frame[] {
    return framesIn(this.got);
  }
  /** The opcodes of what has come. */
  get opcodes(): readonly number[] {
    return this.frames.map(({ opcode }) => opcode);
  }
  get closeCode(): number | undefined {
    return this.frames.find(({ opcode }) => opcode === CLOSE)?.payload.readUInt16BE(0);
  }
}

/** A connection in memory: the end a bridge has, and the other one. */
export function connection(): { ours: Duplex; far: FarEnd } {
  const [ours, other] = duplexPair();
  return { ours, far: new FarEnd(other) };
}

/** A stream that takes a write only when it is told to, and is full at once unless told otherwise; what it reads is up to the test. */
export class SlowStream extends Writable {
  readonly got: string[] = [];
  #next: (() => void) | undefined;

  constructor(highWaterMark = 1) {
    super({ highWaterMark });
    this.on('error', () => {});
  }
  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.got.push(chunk.toString('latin1'));
    this.#next = done;
  }
  /** Takes the write at hand, if there is one. */
  takeOne(): void {
    const next = this.#next;
    this.#next = undefined;
    next?.();
  }
}

/** Hears what ends tell, and writes it down. */
export class Diary implements EndEvents {
  readonly heard: string[] = [];
  readonly failures: GatewayError[] = [];

  onClose({ name }: End, { code, reason }: { code: number; reason: string }): void {
    this.heard.push(`${name} closes ${code} ${reason}`.trimEnd());
  }
  onFailure({ name }: End, error: GatewayError): void {
    this.failures.push(error);
    this.heard.push(`${name} fails ${error.code}`);
  }
  onLost({ name }: End): void {
    this.heard.push(`${name} is lost`);
  }
  onStall({ name }: End): void {
    this.heard.push(`${name} stalls`);
  }
  onProgress(): void {
    this.heard.push('progress');
  }
  onClosed({ name }: End): void {
    this.heard.push(`${name} is closed`);
  }
}

/** An end that does nothing by itself, and keeps a diary of what it is asked to do. */
export class FakeEnd implements End {
  readonly name: PeerName;
  readonly asked: string[] = [];
  isTold = false;
  isFinished = false;
  silentFor: number | undefined;

  constructor(name: PeerName) {
    this.name = name;
  }
  tell({ code }: Ending): void {
    if (this.isTold) return;
    this.isTold = true;
    this.asked.push(`tell ${code}`);
  }
  limit(bytes: number): void {
    this.asked.push(`limit ${bytes}`);
  }
  release(): void {
    this.asked.push('release');
  }
  destroy(): void {
    this.asked.push('destroy');
  }
  ping(): void {
    this.asked.push('ping');
  }
  silence(): number | undefined {
    return this.silentFor;
  }
  bury(): void {
    this.asked.push('bury');
    this.isFinished = true;
  }
}
