import { BINARY } from '../../../frames/opcodes.ts';
import { Bytes } from './bytes.ts';
import type { Framing, Outlet } from './contract.ts';

/** AMQP 0-9-1 §4.2.3: type, channel, size of the payload; behind the payload one byte more. */
const HEAD_BYTES = 7;
const SIZE_AT = 3;
const END_BYTES = 1;
/** The first byte of `AMQP`, which a server sends instead of a frame to say which version it speaks (§4.2.2). */
const PROTOCOL_HEADER = 0x41;
const EMPTY = Buffer.alloc(0);

/** As bytes, but that no message ends within the head of a frame: there are clients that read a head from one message only. */
export class Amqp implements Framing {
  readonly text: boolean;
  readonly #bytes: Bytes;
  /** Bytes of the frame at hand that have not come; Infinity: there are no frames. */
  #left = 0;
  /** The beginning of a head. */
  #begun: Buffer = EMPTY;

  constructor(text: boolean) {
    this.text = text;
    this.#bytes = new Bytes(text);
  }

  frame(): void {}

  payload(bytes: Buffer, from: number, to: number): void {
    this.#bytes.payload(bytes, from, to);
  }

  take(): Buffer | undefined {
    return this.#bytes.take();
  }

  down(chunk: Buffer, client: Outlet): void {
    const bytes = this.#begun.length === 0 ? chunk : Buffer.concat([this.#begun, chunk]);
    const end = this.#walk(bytes);
    this.#begun = Buffer.from(bytes.subarray(end));
    if (end > 0) client.message(BINARY, bytes.subarray(0, end));
  }

  rest(client: Outlet): void {
    if (this.#begun.length > 0) client.message(BINARY, this.#begun);
  }

  /** Follows the frames through `bytes`, which begin where it last returned; returns where the first head begins that is not all there. */
  #walk(bytes: Buffer): number {
    let at = 0;
    for (;;) {
      const passed = Math.min(this.#left, bytes.length - at);
      this.#left -= passed;
      at += passed;
      if (at === bytes.length) return at;
      if (bytes[at] === PROTOCOL_HEADER) this.#left = Infinity;
      else if (bytes.length - at < HEAD_BYTES) return at;
      else this.#left = HEAD_BYTES + bytes.readUInt32BE(at + SIZE_AT) + END_BYTES;
    }
  }
}
