/** The last bytes of a stream, by their offset in it: the older ones are written over. */
export class Ring {
  readonly #bytes: Buffer;

  constructor(size: number) {
    // Fresh pages take memory only once they are written to.
    this.#bytes = Buffer.allocUnsafeSlow(size);
  }

  /** Keeps a chunk, at most as long as the ring, whose first byte stands at `offset`. */
  write(offset: number, chunk: Buffer): void {
    const at = offset % this.#bytes.length;
    const fitting = this.#bytes.length - at;
    chunk.copy(this.#bytes, at);
    if (chunk.length > fitting) chunk.copy(this.#bytes, 0, fitting);
  }

  /** At most `count` bytes from `offset` on, uncopied: fewer where they go on at the other end of the memory. */
  read(offset: number, count: number): Buffer {
    const at = offset % this.#bytes.length;
    return this.#bytes.subarray(at, at + count);
  }
}
