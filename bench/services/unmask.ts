const CLOSE = 8;
const PING = 9;
const FINAL_PONG = 0x8a;

/**
 * Turns a client's frames, however they are cut, into a server's with the same payload, pings into pongs. It does so in place: a
 * server's header is four bytes shorter, so what goes out never overtakes what is still to be read.
 */
export class Unmasker {
  /** A Close has come: nothing after it counts. */
  closed = false;
  /** Payload bytes of the current frame that are still to come. */
  #left = 0;
  readonly #key = Buffer.alloc(4);
  /** Where in the key the current frame's payload goes on. */
  #phase = 0;
  /** The start of a header whose rest is still to come. */
  #partial: Buffer | undefined;

  /** The server's frames; a view into `bytes`, which is overwritten, or into a copy. */
  turn(bytes: Buffer): Buffer {
    if (this.#partial === undefined) return this.#turn(bytes);
    const joined = Buffer.concat([this.#partial, bytes]);
    this.#partial = undefined;
    return this.#turn(joined);
  }

  #turn(bytes: Buffer): Buffer {
    let at = 0;
    let from = -1;
    let to = 0;
    while (at < bytes.length && (!this.closed || this.#left > 0)) {
      if (this.#left === 0) {
        const size = this.#header(bytes, at);
        if (size < 0) break;
        // The first header goes right before its payload, which then need not move.
        if (from < 0) from = to = at + 4;
        bytes.copyWithin(to, at, at + size - 4);
        bytes[to + 1] = (bytes[to + 1] as number) & 127;
        to += size - 4;
        at += size;
      }
      if (from < 0) from = 0;
      const step = Math.min(this.#left, bytes.length - at);
      this.#unmask(bytes, at, at + step);
      if (to !== at) bytes.copyWithin(to, at, at + step);
      this.#left -= step;
      to += step;
      at += step;
    }
    return bytes.subarray(Math.max(from, 0), to);
  }

  /** Reads the header at `at`; returns its size with the key, or -1 if it is not all there. */
  #header(bytes: Buffer, at: number): number {
    const short = (bytes[at + 1] as number) & 127;
    const size = short < 126 ? 6 : short === 126 ? 8 : 14;
    if (bytes.length - at < size) {
      this.#partial = Buffer.from(bytes.subarray(at));
      return -1;
    }
    if (short < 126) this.#left = short;
    else this.#left = short === 126 ? bytes.readUInt16BE(at + 2) : bytes.readUInt32BE(at + 6);
    for (let index = 0; index < 4; index++) this.#key[index] = bytes[at + size - 4 + index] as number;
    this.#phase = 0;
    const opcode = (bytes[at] as number) & 15;
    this.closed = opcode === CLOSE;
    if (opcode === PING) bytes[at] = FINAL_PONG;
    return size;
  }

  #unmask(bytes: Buffer, from: number, to: number): void {
    const key = this.#key;
    if (key[0] === 0 && key[1] === 0 && key[2] === 0 && key[3] === 0) return;
    for (let at = from; at < to; at++) {
      bytes[at] = (bytes[at] as number) ^ (key[this.#phase++ & 3] as number);
    }
  }
}
