import { readClose } from './close.ts';
import { headerFault, type ReaderOptions, readKey, readLength } from './header.ts';
import { mask } from './mask.ts';
import { CLOSE, MAX_CONTROL_PAYLOAD, MAX_HEADER } from './opcodes.ts';

/** What a handler says to a frame whose header is complete. */
export const PASS = 0;
/** Leave this control frame out of what `raw` reports. */
export const CUT = 1;
/** Not yet: `push` returns here, and the frame is offered again by the next `push`. */
export const STOP = 2;
export type FrameAction = typeof PASS | typeof CUT | typeof STOP;

export type Violation = 'PROTOCOL_ERROR' | 'INVALID_PAYLOAD' | 'MESSAGE_TOO_BIG';

/** Who is told what a reader finds. `reader` fields describe the frame at hand. */
export interface FrameHandler {
  /** The header of a data frame is complete and legal; its payload is still to come. */
  frame(reader: FrameReader): FrameAction;
  /** A whole control frame; its payload is unmasked and the handler's to keep. */
  control(opcode: number, payload: Buffer): FrameAction;
  /** `bytes[from, to)` is a piece of the payload of the frame at hand, as it came: still masked. */
  payload(bytes: Buffer, from: number, to: number, reader: FrameReader): void;
  /** `bytes[from, to)` is checked and may go on as it is, headers included. Cut frames and unfinished headers are not in it. */
  raw(bytes: Buffer, from: number, to: number): void;
  /** The stream stands between two frames, and `reader.interrupt` asked to be told. */
  boundary(): void;
  /** The peer broke the protocol; nothing after this is read. `detail` is for the log; `limit`: a message exceeds `1024 bytes`. */
  violation(violation: Violation, detail: string, limit?: string): void;
}

const VIOLATED = -1;
const INCOMPLETE = 0;

/**
 * Walks the frame headers of a byte stream cut at any place (RFC 6455 §5.2) and judges each from its header alone,
 * before the payload has come. It keeps no payload: at most an unfinished header or control frame, 139 bytes.
 * It never throws by itself; only what a handler throws passes through.
 */
export class FrameReader {
  /** Of the frame at hand. */
  opcode = 0;
  fin = false;
  length = 0;
  /** Masking key as a big-endian 32-bit integer; 0 if unmasked. */
  key = 0;
  /** Payload bytes of the data frame at hand that have not come yet; 0: the stream stands between two frames. */
  remaining = 0;
  /** Set to be told by `boundary` when the stream next stands between two frames. Taken back by the call. */
  interrupt = false;
  /** After a Close or a violation nothing is read any more (RFC 6455 §5.5.1). */
  done = false;

  readonly #handler: FrameHandler;
  readonly #options: ReaderOptions;
  /** Frames of a message whose final fragment has not come; 0: no message has begun. */
  #fragments = 0;
  #messageBytes = 0;
  /** An unfinished header or control frame, and how many bytes it takes to read on. */
  #held: Buffer | undefined;
  #heldLength = 0;
  #needed = 0;
  #violation: Parameters<FrameHandler['violation']> | undefined;

  constructor(options: ReaderOptions, handler: FrameHandler) {
    this.#options = options;
    this.#handler = handler;
  }

  /**
   * Reads the next bytes of the stream. Returns how many were taken: all, unless the handler said STOP; then `push`
   * the rest again later, be it empty.
   */
  push(chunk: Buffer): number {
    if (this.done) return chunk.length;
    let at = this.#heldLength > 0 ? this.#finishHeld(chunk) : 0;
    if (this.#heldLength > 0) return at;
    const end = chunk.length;
    let from = at;
    while (at < end && !this.done) {
      if (this.remaining > 0) {
        at = this.#payload(chunk, at, end);
        continue;
      }
      if (this.interrupt) from = this.#interrupted(chunk, from, at);
      const size = this.#parse(chunk, at, end);
      if (size <= INCOMPLETE) return this.#breakOff(size, chunk, from, at);
      if (this.opcode >= CLOSE) {
        // What came before must be on its way before the handler acts on a control frame.
        this.#raw(chunk, from, at);
        from = at;
        const verdict = this.#control(chunk, at + size - this.length, at + size);
        if (verdict === STOP) return at;
        at += size;
        if (verdict === CUT) from = at;
        continue;
      }
      if (this.#handler.frame(this) === STOP) {
        this.#raw(chunk, from, at);
        return at;
      }
      this.#begin();
      at += size;
    }
    this.#raw(chunk, from, at);
    if (this.interrupt && this.remaining === 0) this.#interrupted(chunk, at, at);
    return end;
  }

  /** Tells of the payload of the frame at hand, as far as it is here; returns where it ends. */
  #payload(chunk: Buffer, at: number, end: number): number {
    const next = at + Math.min(this.remaining, end - at);
    this.#handler.payload(chunk, at, next, this);
    this.remaining -= next - at;
    return next;
  }

  /** No frame can be read at `at`: what comes before it goes on, the rest is kept, or refused. */
  #breakOff(size: number, chunk: Buffer, from: number, at: number): number {
    this.#raw(chunk, from, at);
    if (size === VIOLATED) this.#report();
    else this.#hold(chunk, at, chunk.length);
    return chunk.length;
  }

  #raw(bytes: Buffer, from: number, to: number): void {
    if (to > from) this.#handler.raw(bytes, from, to);
  }

  /** Hands on what came before this boundary, then lets the handler act at it. */
  #interrupted(chunk: Buffer, from: number, at: number): number {
    this.interrupt = false;
    this.#raw(chunk, from, at);
    this.#handler.boundary();
    return at;
  }

  /** The data frame at hand was let pass: what comes next is its payload. */
  #begin(): void {
    this.remaining = this.length;
    this.#messageBytes = this.fin ? 0 : this.#messageBytes + this.length;
    this.#fragments = this.fin ? 0 : this.#fragments + 1;
  }

  /** A whole control frame: a Close is judged here, and is the last frame of the stream. */
  #control(bytes: Buffer, from: number, to: number): FrameAction {
    const payload = Buffer.from(bytes.subarray(from, to));
    if (this.key !== 0) mask(payload, 0, payload.length, this.key, 0);
    if (this.opcode !== CLOSE) return this.#handler.control(this.opcode, payload);
    const status = readClose(payload);
    if (status === undefined) this.#refuse('PROTOCOL_ERROR', 'a Close with an illegal code or length');
    if (status === 'utf8') this.#refuse('INVALID_PAYLOAD', 'a Close whose reason is not UTF-8');
    if (this.#violation === undefined) {
      const verdict = this.#handler.control(CLOSE, payload);
      this.done = verdict !== STOP;
      return verdict;
    }
    this.#report();
    return CUT;
  }

  /** Keeps the unfinished header or control frame at the end of a chunk. */
  #hold(chunk: Buffer, from: number, to: number): void {
    this.#held ??= Buffer.allocUnsafeSlow(MAX_HEADER + MAX_CONTROL_PAYLOAD);
    chunk.copy(this.#held, this.#heldLength, from, to);
    this.#heldLength += to - from;
  }

  /** Completes what is held from the chunk's first bytes. Returns where reading goes on; still holding something: nowhere yet. */
  #finishHeld(chunk: Buffer): number {
    const held = this.#held as Buffer;
    let at = 0;
    for (;;) {
      const next = Math.min(chunk.length, at + this.#needed - this.#heldLength);
      this.#hold(chunk, at, next);
      at = next;
      const size = this.#parse(held, 0, this.#heldLength);
      if (size === INCOMPLETE && at < chunk.length) continue;
      if (size === INCOMPLETE) return at;
      if (size !== VIOLATED && this.#passHeld(held, size) === STOP) return at;
      this.#heldLength = 0;
      if (size === VIOLATED) this.#report();
      return this.done ? chunk.length : at;
    }
  }

  #passHeld(held: Buffer, size: number): FrameAction {
    const isControl = this.opcode >= CLOSE;
    const verdict = isControl ? this.#control(held, size - this.length, size) : this.#handler.frame(this);
    if (verdict !== PASS) return verdict;
    if (!isControl) this.#begin();
    // A copy: a write may keep it while `held` takes the next header.
    this.#raw(Buffer.from(held.subarray(0, size)), 0, size);
    return PASS;
  }

  /**
   * Reads and judges a header at `at`. Returns its size (for a control frame: of the whole frame), INCOMPLETE if more
   * bytes are needed, VIOLATED if it breaks the protocol.
   */
  #parse(bytes: Buffer, at: number, end: number): number {
    this.#needed = 2;
    if (end - at < 2) return INCOMPLETE;
    const first = bytes[at] as number;
    const second = bytes[at + 1] as number;
    const short = second & 0x7f;
    const masked = second >= 0x80;
    this.opcode = first & 0x0f;
    this.fin = first >= 0x80;
    // Judged before the rest has come: nobody need wait behind a header that is wrong already.
    const fault = headerFault(first, masked, short, this.#fragments > 0, this.#options);
    if (fault !== undefined) return this.#refuse('PROTOCOL_ERROR', fault);
    const lengthBytes = short < 126 ? 0 : short === 126 ? 2 : 8;
    const size = 2 + lengthBytes + (masked ? 4 : 0);
    const isControl = this.opcode >= CLOSE;
    this.#needed = isControl ? size + short : size;
    if (end - at < this.#needed) return INCOMPLETE;
    this.length = lengthBytes === 0 ? short : readLength(bytes, at + 2, lengthBytes);
    this.key = masked ? readKey(bytes, at + size - 4) : 0;
    return isControl ? this.#needed : this.#judgeLength(size, lengthBytes);
  }

  /** Judges the length of a data frame, and of its message so far in bytes and frames; returns the header's size or VIOLATED. */
  #judgeLength(size: number, lengthBytes: number): number {
    if (this.length < 0) return this.#refuse('PROTOCOL_ERROR', 'a 64-bit length with its top bit set');
    const shortest = lengthBytes === 8 ? 65_536 : lengthBytes === 2 ? 126 : 0;
    if (this.length < shortest) return this.#refuse('PROTOCOL_ERROR', 'a length not in its shortest form');
    const { maxMessage, maxFragments } = this.#options;
    const total = this.#messageBytes + this.length;
    // Beyond 2^53 a length cannot be counted exactly; no such message will ever end.
    const most = Math.min(maxMessage, Number.MAX_SAFE_INTEGER);
    if (total > most)
      return this.#refuse('MESSAGE_TOO_BIG', `a message of at least ${total} bytes`, `${most} bytes`);
    // Behind a frame that is not final comes at least one more.
    if (!this.fin && this.#fragments + 2 > maxFragments)
      return this.#refuse('MESSAGE_TOO_BIG', `more than ${maxFragments} frames`, `${maxFragments} frames`);
    return size;
  }

  #refuse(...violation: Parameters<FrameHandler['violation']>): typeof VIOLATED {
    this.#violation = violation;
    return VIOLATED;
  }

  #report(): void {
    this.done = true;
    this.#handler.violation(...(this.#violation as Parameters<FrameHandler['violation']>));
  }
}
