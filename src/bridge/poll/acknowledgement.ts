import { randomBytes } from 'node:crypto';
import { PING } from '../../frames/opcodes.ts';
import { frame } from '../../frames/writer.ts';
import type { Peer } from '../peer.ts';

/** A ping on its way. */
interface Asked {
  readonly payload: Buffer;
  readonly answer: (isThere: boolean) => void;
}

/**
 * Whether a client has what was written to it: it answers pings in their turn, so that an answer to one sent behind the
 * messages says that it has read them (RFC 6455 §5.5.3). One ping at a time.
 */
export class Acknowledgement {
  readonly #client: Peer;
  readonly #withinMs: number;
  readonly #onSilence: () => void;
  #asked: Asked | undefined;
  /** When its answer was looked for last, the client was not being read. */
  #wasPaused = false;

  /** `onSilence`: it was read from, and has not answered within so many milliseconds. */
  constructor(client: Peer, withinMs: number, onSilence: () => void) {
    this.#client = client;
    this.#withinMs = withinMs;
    this.#onSilence = onSilence;
  }

  /** Resolves with true when the client has read what was written to it, with false when `signal` aborts. */
  async ask(signal: AbortSignal): Promise<boolean> {
    if (signal.aborted) return false;
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const onAbort = () => resolve(false);
    signal.addEventListener('abort', onAbort);
    this.#asked = { payload: randomBytes(8), answer: resolve };
    this.#ping(this.#asked);
    this.#wasPaused = this.#client.source.isPaused;
    const timer = setInterval(() => this.#onTimer(), this.#withinMs);
    const isThere = await promise;
    clearInterval(timer);
    signal.removeEventListener('abort', onAbort);
    this.#asked = undefined;
    return isThere;
  }

  /** Whether a pong is the answer that is waited for. */
  isAnswer(payload: Buffer): boolean {
    if (!this.#asked?.payload.equals(payload)) return false;
    this.#asked.answer(true);
    return true;
  }

  /** Another ping has been answered: a client may leave all but the last one unanswered, so ours is sent again. */
  remind(): void {
    if (this.#asked !== undefined) this.#ping(this.#asked);
  }

  #ping({ payload }: Asked): void {
    if (this.#client.takesFrames) this.#client.sink.write(frame(PING, payload));
  }

  /** Who is not read from cannot answer. */
  #onTimer(): void {
    const { isPaused } = this.#client.source;
    if (!isPaused && !this.#wasPaused) this.#onSilence();
    this.#wasPaused = isPaused;
  }
}
