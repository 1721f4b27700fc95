import { createHash, randomFillSync } from 'node:crypto';
import type { Socket } from 'node:net';
import { turns } from './pairs.ts';
import { BINARY, PING } from './raw.ts';
import { type Random, seeded } from './seeded.ts';

/** Peers that send at random and read at random, and know what has passed between them. */

const CONTINUATION = 0;
/** All payload is a piece of this. */
const NOISE = randomFillSync(Buffer.allocUnsafe(2 ** 20));
const MAX_FRAME = 300 * 1024;

/** What a peer speaks: frames, masked or not, or plain bytes. */
export type Speech = 'masked' | 'unmasked' | 'bytes';

/** Payload bytes and their digest, in one direction. */
class Tally {
  readonly #hash = createHash('sha256');
  bytes = 0;
  pings = 0;

  add(payload: Buffer): void {
    this.#hash.update(payload);
    this.bytes += payload.length;
  }
  digest(): string {
    return this.#hash.copy().digest('hex');
  }
}

/** Unpacks frames cut at any place into a tally; the payload is not kept. */
class Unpacker {
  readonly #tally: Tally;
  #head = Buffer.alloc(0);
  #left = 0;
  #key: Buffer | undefined;
  #at = 0;
  #counts = true;

  constructor(tally: Tally) {
    this.#tally = tally;
  }

  /** Returns what is wrong with the frames, if anything is. */
  push(chunk: Buffer): string | undefined {
    let bytes = this.#head.length === 0 ? chunk : Buffer.concat([this.#head, chunk]);
    this.#head = Buffer.alloc(0);
    for (;;) {
      bytes = this.#payload(bytes);
      if (this.#left > 0 || bytes.length === 0) return undefined;
      const size = headSize(bytes);
      if (bytes.length < size) {
        this.#head = Buffer.from(bytes);
        return undefined;
      }
      const opcode = (bytes[0] as number) & 0x7f;
      if (![CONTINUATION, BINARY, PING, PING + 1].includes(opcode)) return `an opcode ${opcode}`;
      this.#begin(bytes, size, opcode);
      bytes = bytes.subarray(size);
    }
  }

  #begin(bytes: Buffer, size: number, opcode: number): void {
    const masked = (bytes[1] as number) >= 0x80;
    const short = (bytes[1] as number) & 0x7f;
    this.#left =
      short < 126 ? short : short === 126 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2));
    this.#key = masked ? Buffer.from(bytes.subarray(size - 4, size)) : undefined;
    this.#at = 0;
    this.#counts = opcode < 8;
    if (opcode === PING) this.#tally.pings++;
  }

  /** Takes the payload of the frame at hand; returns what comes behind it. */
  #payload(bytes: Buffer): Buffer {
    const count = Math.min(this.#left, bytes.length);
    if (count === 0) return bytes;
    const piece = bytes.subarray(0, count);
    if (this.#counts) this.#tally.add(this.#key === undefined ? piece : masked(piece, this.#key, this.#at));
    this.#left -= count;
    this.#at += count;
    return bytes.subarray(count);
  }
}

function headSize(bytes: Buffer): number {
  if (bytes.length < 2) return 2;
  const second = bytes[1] as number;
  const short = second & 0x7f;
  return 2 + (short < 126 ? 0 : short === 126 ? 2 : 8) + (second >= 0x80 ? 4 : 0);
}

function masked(bytes: Buffer, key: Buffer, from: number): Buffer {
  const out = Buffer.allocUnsafe(bytes.length);
  for (let i = 0; i < bytes.length; i++) out[i] = (bytes[i] as number) ^ (key[(from + i) & 3] as number);
  return out;
}

interface Part {
  readonly opcode: number;
  readonly fin: boolean;
  readonly payload: Buffer;
}

/**
 * `mixed`: bursts of frames of any size and trickles of small ones; stalls of any length. `dripping`: small frames only,
 * one a turn, and stalls that last: of all that fills the way up to the stalled side, no read is large.
 */
export type Manner = 'mixed' | 'dripping';

interface TalkerOptions {
  readonly speech: Speech;
  /** How the other side is spoken of on this socket. */
  readonly heard: Speech;
  readonly manner: Manner;
  /** Decides what it sends, all of it, and how it stalls, as far as chunks come alike. */
  readonly seed: number;
}

/** One end of a conversation. Both directions of it run at the same time. */
export class Talker {
  readonly socket: Socket;
  readonly sent = new Tally();
  readonly received = new Tally();
  /** Its writes wait for the other side to read. */
  isBlocked = false;
  hasSentAll = false;
  /** What went wrong, if anything has. */
  fault: string | undefined;
  readonly #speech: Speech;
  readonly #random: Random;
  /** A sequence of its own: how the reads fall must not change what is sent. */
  readonly #stallRandom: Random;
  readonly #manner: Manner;
  readonly #unpacker: Unpacker | undefined;
  #isReading = true;
  #inMessage = false;
  other!: Talker;

  constructor(socket: Socket, { speech, heard, manner, seed }: TalkerOptions) {
    this.socket = socket;
    this.#speech = speech;
    this.#random = seeded(seed);
    this.#stallRandom = seeded(~seed);
    this.#manner = manner;
    this.#unpacker = heard === 'bytes' ? undefined : new Unpacker(this.received);
    socket.on('data', (chunk: Buffer) => this.#onData(chunk));
    socket.on('error', (error) => this.#fail(error.message)).on('end', () => this.#fail('the end'));
    socket.on('drain', () => {
      this.isBlocked = false;
    });
  }

  /** Sends so many payload bytes or a little more. */
  async talk(bytes: number): Promise<void> {
    while (this.sent.bytes < bytes && this.fault === undefined) {
      if (this.#manner === 'mixed' && this.#random(3) === 0) await this.#burst();
      else await this.#trickle();
    }
    await this.#write(this.#frames(1, true));
    this.hasSentAll = true;
  }

  /** A few frames of any size, some of them in two halves. */
  async #burst(): Promise<void> {
    for (let i = this.#random(6); i >= 0; i--) {
      const bytes = this.#frames(this.#size());
      const cut = this.#random(3) === 0 ? this.#random(bytes.length) : 0;
      if (cut > 0) {
        await this.#write(bytes.subarray(0, cut));
        await turns(this.#random(3));
      }
      await this.#write(bytes.subarray(cut));
    }
  }

  /** Many small frames, a read each or nearly so. */
  async #trickle(): Promise<void> {
    const least = this.#manner === 'mixed' ? 1 : 3_000;
    for (let i = this.#random(120); i >= 0; i--) {
      await this.#write(this.#frames(least + this.#random(this.#random(2) === 0 ? 200 : 3_800 - least)));
      await turns();
    }
  }

  #size(): number {
    const kind = this.#random(10);
    if (kind < 4) return 1 + this.#random(300);
    if (kind < 7) return 1 + this.#random(20_000);
    return 1 + this.#random(kind < 9 ? 100_000 : MAX_FRAME);
  }

  /** A data frame of a message that may go on, now and then with a ping before it. */
  #frames(size: number, fin = this.#random(4) !== 0): Buffer {
    const from = this.#random(NOISE.length - size);
    const payload = NOISE.subarray(from, from + size);
    this.sent.add(payload);
    if (this.#speech === 'bytes') return payload;
    const data: Part = { opcode: this.#inMessage ? CONTINUATION : BINARY, fin, payload };
    this.#inMessage = !fin;
    if (this.#random(10) !== 0) return this.#encode(data);
    this.sent.pings++;
    const ping: Part = { opcode: PING, fin: true, payload: NOISE.subarray(0, this.#random(126)) };
    return Buffer.concat([this.#encode(ping), this.#encode(data)]);
  }

  #encode({ opcode, fin, payload }: Part): Buffer {
    const isMasked = this.#speech === 'masked';
    const { length } = payload;
    const head = Buffer.alloc(length < 126 ? 2 : length < 65_536 ? 4 : 10);
    head[0] = (fin ? 0x80 : 0) | opcode;
    head[1] = (isMasked ? 0x80 : 0) | (length < 126 ? length : length < 65_536 ? 126 : 127);
    if (head.length === 4) head.writeUInt16BE(length, 2);
    if (head.length === 10) head.writeBigUInt64BE(BigInt(length), 2);
    if (!isMasked) return Buffer.concat([head, payload]);
    const key = Buffer.from([1, 2, 3, 4].map(() => this.#random(256)));
    return Buffer.concat([head, key, masked(payload, key, 0)]);
  }

  async #write(bytes: Buffer): Promise<void> {
    if (this.socket.destroyed || this.socket.write(bytes)) return;
    this.isBlocked = true;
    while (this.isBlocked && this.fault === undefined) await turns();
  }

  #onData(chunk: Buffer): void {
    const fault = this.#unpacker?.push(chunk);
    if (fault !== undefined) this.#fail(fault);
    if (this.#unpacker === undefined) this.received.add(chunk);
    if (this.#isReading && this.#stallRandom(12) === 0) void this.#stall();
  }

  /** Reads nothing for some turns, or until the other side cannot write any more, or has come some way. */
  async #stall(): Promise<void> {
    this.#isReading = false;
    this.socket.pause();
    if (this.#manner === 'mixed' && this.#stallRandom(3) === 0) await turns(1 + this.#stallRandom(30));
    else await this.#otherHasComeFar();
    this.#isReading = true;
    this.socket.resume();
  }

  async #otherHasComeFar(): Promise<void> {
    const { other } = this;
    const enough = other.sent.bytes + (this.#manner === 'mixed' ? this.#stallRandom(2 ** 21) : Infinity);
    const isStuck = () => other.isBlocked || other.hasSentAll || other.fault !== undefined;
    while (other.sent.bytes < enough && !isStuck()) await turns();
  }

  #fail(what: string): void {
    this.fault ??= what;
  }
}

/** Resolves when all that the other one has sent has come, or more, or one of the two has failed. */
export async function heardAll(talker: Talker): Promise<void> {
  const { other } = talker;
  const isOver = () => other.hasSentAll && talker.received.bytes >= other.sent.bytes;
  while (!isOver() && talker.fault === undefined && other.fault === undefined) await turns();
}
