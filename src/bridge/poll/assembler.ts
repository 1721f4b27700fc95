import { isUtf8 } from 'node:buffer';
import { GatewayError } from '../../errors.ts';
import { mask } from '../../frames/mask.ts';
import { CONTINUATION, TEXT } from '../../frames/opcodes.ts';
import type { FrameReader } from '../../frames/reader.ts';
import type { Message } from './profile.ts';

const FIRST_BYTES = 1024;
const NOTHING = Buffer.alloc(0);

/**
 * Puts a client's messages together from the payload of frames that have been checked, in memory that grows with what
 * has come, not with what was announced.
 */
export class Assembler {
  readonly #onMessage: (message: Message) => void;
  #isText = false;
  #bytes = NOTHING;
  #size = 0;

  /** `onMessage` is called for each message as soon as it is whole. */
  constructor(onMessage: (message: Message) => void) {
    this.#onMessage = onMessage;
  }

  /** A data frame begins. Throws INVALID_PAYLOAD for a text that is not UTF-8 (RFC 6455 §8.1). */
  begin({ opcode, fin, length }: FrameReader): void {
    if (opcode !== CONTINUATION) this.#isText = opcode === TEXT;
    if (fin && length === 0) this.#finish();
  }

  /** A piece of the payload of the frame at hand, still masked. Throws as `begin` does. */
  add(bytes: Buffer, from: number, to: number, reader: FrameReader): void {
    const at = this.#size;
    const isLast = reader.fin && reader.remaining === to - from;
    this.#size += to - from;
    // Little messages get no more room than they announce: very many of them may wait.
    const first = Math.min(FIRST_BYTES, reader.length);
    this.#makeRoom(isLast ? this.#size : Math.max(first, 2 * this.#bytes.length));
    bytes.copy(this.#bytes, at, from, to);
    mask(this.#bytes, at, this.#size, reader.key, reader.length - reader.remaining);
    if (isLast) this.#finish();
  }

  /** `wanted`: what may be needed in all. */
  #makeRoom(wanted: number): void {
    if (this.#size <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(this.#size, wanted));
    this.#bytes.copy(larger);
    this.#bytes = larger;
  }

  #finish(): void {
    const data = this.#bytes.subarray(0, this.#size);
    this.#bytes = NOTHING;
    this.#size = 0;
    if (this.#isText && !isUtf8(data))
      throw new GatewayError('INVALID_PAYLOAD', { detail: 'client: a text message' });
    this.#onMessage({ data, binary: !this.#isText });
  }
}
