const NOTHING = Buffer.alloc(0);

/** A body in memory that grows with its bytes, not with the pieces they come in: each of those costs a hundred bytes more. */
export class Gathered {
  #bytes: Buffer = NOTHING;
  size = 0;

  add(piece: Buffer): void {
    const at = this.size;
    this.size += piece.length;
    // Most bodies are one piece.
    if (at === 0) this.#bytes = piece;
    else {
      this.#makeRoom(at);
      piece.copy(this.#bytes, at);
    }
  }

  /** All of it. */
  get whole(): Buffer {
    return this.#bytes.subarray(0, this.size);
  }

  #makeRoom(held: number): void {
    if (this.size <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(2 * this.size);
    this.#bytes.copy(larger, 0, 0, held);
    this.#bytes = larger;
  }
}
