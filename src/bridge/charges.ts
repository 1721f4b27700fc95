import { asGatewayError, type GatewayError } from '../errors.ts';
import { CONTINUATION } from '../frames/opcodes.ts';
import { type FrameAction, type FrameReader, PASS, STOP } from '../frames/reader.ts';
import type { Source } from '../stream/source.ts';
import type { SessionHandle } from './contract.ts';

/** A fragment below this size counts like a message: empty ones would cost their sender nothing. */
const SMALL_FRAGMENT = 1024;

/** Charges what a client sends to the limits of its session; while it has to wait it is not read. */
export class Charges {
  readonly #limits: SessionHandle;
  readonly #source: Source;
  /** `performance.now()` when the chunk at hand came: the clock is read once for all its messages. */
  #now = 0;
  /** What a limit threw at the frame at hand: it counts once what came before that frame is on its way. */
  #excess: GatewayError | undefined;

  constructor(limits: SessionHandle, source: Source) {
    this.#limits = limits;
    this.#source = source;
  }

  /** A chunk is about to be read. */
  begin(): void {
    this.#now = performance.now();
  }

  /** Charges one message or control frame. STOP: not yet; or never, and `settle` throws. */
  admit(): FrameAction {
    try {
      const wait = this.#limits.admitMessage(this.#now);
      if (wait === 0) return PASS;
      this.#source.pauseFor(wait);
    } catch (error) {
      this.#excess = asGatewayError(error);
    }
    return STOP;
  }

  /** Charges a data frame: a message once, and each of its small fragments but the last. */
  admitFrame({ opcode, fin, length }: FrameReader): FrameAction {
    if (opcode === CONTINUATION && (fin || length >= SMALL_FRAGMENT)) return PASS;
    return this.admit();
  }

  /** So many bytes of the chunk have been taken. Throws RATE_LIMITED where a limit has been exceeded that says `close`. */
  settle(taken: number): void {
    if (this.#excess !== undefined) throw this.#excess;
    const wait = this.#limits.admitBytes(taken, this.#now);
    if (wait > 0) this.#source.pauseFor(wait);
  }
}
