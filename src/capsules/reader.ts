import { CapsuleError, type CapsuleTypes } from './types.ts';

/** Who is told of capsules. What it throws passes through. */
export interface CapsuleHandler {
  /** A capsule begins. False: not yet, and nothing of it is taken. */
  begin(): boolean;
  /** `bytes[from, to)` is the next of the stream. */
  data(bytes: Buffer, from: number, to: number): void;
}

/** A capsule of a type that is not known here is passed over (RFC 9297 §3.2) up to this size: it is nothing that anybody waits for. */
export const MAX_SKIPPED_BYTES = 1024 * 1024;

/**
 * Reads capsules (RFC 9297 §3.2) as they come, in pieces of any size, and keeps nothing of them: what belongs to the stream is
 * handed on before its capsule is whole.
 *
 *     start ─begin─▶ type ─▶ length ─▶ payload ─▶ start
 *
 * Numbers are variable-length integers (RFC 9000 §16), of which every form is taken.
 */
export class CapsuleReader {
  readonly #types: CapsuleTypes;
  readonly #handler: CapsuleHandler;
  #state: 'start' | 'type' | 'length' | 'payload' = 'start';
  /** The integer at hand, and its bytes that are still to come; undefined: its first. */
  #value = 0;
  #missing: number | undefined;
  /** Of the capsule at hand. */
  #type = 0;
  #left = 0;
  /** A FINAL_DATA capsule has come whole: no byte of the stream may follow. */
  isFinal = false;

  constructor(types: CapsuleTypes, handler: CapsuleHandler) {
    this.#types = types;
    this.#handler = handler;
  }

  /** Reads on; returns how many bytes were taken, all unless a capsule may not begin yet. Throws CapsuleError. */
  push(bytes: Buffer): number {
    let at = 0;
    while (at < bytes.length) {
      if (this.#state === 'payload') {
        at = this.#readPayload(bytes, at);
        continue;
      }
      if (this.#state === 'start' && !this.#begin()) return at;
      if (this.#readInteger(bytes[at++] as number)) this.#onInteger();
    }
    return at;
  }

  #begin(): boolean {
    if (!this.#handler.begin()) return false;
    this.#state = 'type';
    return true;
  }

  /** Whether the integer is whole with this byte. Beyond 2^53 it is not exact, and known for that by its size. */
  #readInteger(byte: number): boolean {
    if (this.#missing === undefined) {
      this.#missing = (1 << (byte >> 6)) - 1;
      this.#value = byte & 0x3f;
    } else {
      this.#missing -= 1;
      this.#value = this.#value * 256 + byte;
    }
    if (this.#missing > 0) return false;
    this.#missing = undefined;
    return true;
  }

  #onInteger(): void {
    if (this.#state === 'type') {
      this.#type = this.#value;
      if (this.isFinal && this.#isOfStream) throw new CapsuleError('data after FINAL_DATA');
      this.#state = 'length';
      return;
    }
    const most = this.#isOfStream ? Number.MAX_SAFE_INTEGER : MAX_SKIPPED_BYTES;
    if (this.#value > most) throw new CapsuleError(`a capsule of more than ${most} bytes`);
    this.#left = this.#value;
    this.#state = 'payload';
    if (this.#left === 0) this.#end();
  }

  #readPayload(bytes: Buffer, at: number): number {
    const to = Math.min(bytes.length, at + this.#left);
    this.#left -= to - at;
    if (this.#isOfStream) this.#handler.data(bytes, at, to);
    if (this.#left === 0) this.#end();
    return to;
  }

  #end(): void {
    this.#state = 'start';
    if (this.#type === this.#types.finalData) this.isFinal = true;
  }

  get #isOfStream(): boolean {
    return this.#type === this.#types.data || this.#type === this.#types.finalData;
  }
}
