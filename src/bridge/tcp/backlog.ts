const NOTHING = Buffer.alloc(0);

/** Bytes that wait, pushed together: pieces of one byte each take up little more than their sum. */
export class Backlog {
  #bytes: Buffer = NOTHING;
  length = 0;

  /** Copies a piece. */
  add(piece: Buffer): void {
    const needed = this.length + piece.length;
    if (needed > this.#bytes.length) this.#grow(needed);
    piece.copy(this.#bytes, this.length);
    this.length = needed;
  }

  /** All of it, the caller's from now on; undefined if there is none. */
  take(): Buffer | undefined {
    if (this.length === 0) return undefined;
    const taken = this.#bytes.subarray(0, this.length);
    this.#bytes = NOTHING;
    this.length = 0;
    return taken;
  }

  #grow(needed: number): void {
    const bytes = Buffer.allocUnsafe(Math.max(needed, 2 * this.#bytes.length));
    this.#bytes.copy(bytes, 0, 0, this.length);
    this.#bytes = bytes;
  }
}
