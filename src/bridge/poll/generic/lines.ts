import { isUtf8 } from 'node:buffer';
import type { GatewayError } from '../../../errors.ts';
import { invalid } from './invalid.ts';

const LF = 10;
const CR = 13;
const FIRST_BYTES = 1024;
const NOTHING = Buffer.alloc(0);

export interface LineOptions {
  /** Bytes of the longest line. */
  readonly limit: number;
  /** A CR alone ends a line, as in event streams. */
  readonly loneCr: boolean;
}

/** Cuts a body into lines while it comes, wherever its pieces are cut. Holds no more than one line. */
export class LineReader {
  readonly #options: LineOptions;
  /** The beginning of a line, in room that grows with it. */
  #held = NOTHING;
  #size = 0;
  /** The last byte was a CR that has ended a line: an LF behind it belongs to it. */
  #isBehindCr = false;

  constructor(options: LineOptions) {
    this.#options = options;
  }

  /** The lines that a piece completes, without their ends. Throws UPSTREAM_INVALID: a line too long, or not UTF-8. */
  push(piece: Buffer): string[] {
    const lines: string[] = [];
    let from = 0;
    for (let at = 0; at < piece.length; at++) {
      const byte = piece[at];
      const isRest = byte === LF && this.#isBehindCr;
      this.#isBehindCr = byte === CR && this.#options.loneCr;
      if (isRest) from = at + 1;
      else if (byte === LF || this.#isBehindCr) {
        lines.push(this.#line(piece.subarray(from, at)));
        from = at + 1;
      }
    }
    this.#hold(piece.subarray(from));
    return lines;
  }

  /** What the end of the body completes: a line without an end. */
  end(): string[] {
    return this.#size === 0 ? [] : [this.#line(NOTHING)];
  }

  /** The line whose last bytes these are. */
  #line(bytes: Buffer): string {
    if (this.#size === 0) return this.#text(bytes);
    this.#hold(bytes);
    const line = this.#held.subarray(0, this.#size);
    this.#held = NOTHING;
    this.#size = 0;
    return this.#text(line);
  }

  #text(line: Buffer): string {
    if (line.length > this.#options.limit) throw tooLarge();
    return utf8(line.at(-1) === CR ? line.subarray(0, -1) : line);
  }

  #hold(bytes: Buffer): void {
    const at = this.#size;
    this.#size += bytes.length;
    if (this.#size > this.#options.limit) throw tooLarge();
    if (this.#size > this.#held.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(FIRST_BYTES, this.#size, 2 * this.#held.length));
      this.#held.copy(larger);
      this.#held = larger;
    }
    bytes.copy(this.#held, at);
  }
}

/** The detail of an event beyond the limit. */
export function tooLarge(): GatewayError {
  return invalid('an event exceeds responseSize');
}

/** A byte order mark stays, as it would in a text frame. Throws UPSTREAM_INVALID. */
export function utf8(bytes: Buffer): string {
  if (isUtf8(bytes)) return bytes.toString();
  throw invalid('a text body is not UTF-8');
}
