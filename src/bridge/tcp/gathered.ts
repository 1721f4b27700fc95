/** The payload in the chunk at hand, pushed together where it lies: one write a chunk, however many small messages it holds. */
export class Gathered {
  #chunk: Buffer | undefined;
  #from = 0;
  #to = 0;

  /** Adds `bytes[from, to)`, which lies behind what was added before, in the same chunk; what stands in between is written over. */
  add(bytes: Buffer, from: number, to: number): void {
    if (this.#chunk === undefined) {
      this.#chunk = bytes;
      this.#from = from;
      this.#to = to;
      return;
    }
    bytes.copyWithin(this.#to, from, to);
    this.#to += to - from;
  }

  /** All of it; undefined if there is none. */
  take(): Buffer | undefined {
    const payload = this.#chunk?.subarray(this.#from, this.#to);
    this.#chunk = undefined;
    return payload;
  }
}
