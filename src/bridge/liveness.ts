import { randomBytes } from 'node:crypto';
import type { Sink } from '../stream/sink.ts';
import type { Source } from '../stream/source.ts';

/**
 * Whether a WebSocket peer is alive: who sends, or takes our bytes, is. Its time to answer a ping starts when the ping has
 * left, not while it waits behind a frame or in a queue.
 *
 *     content ──ask──▶ asked (the ping is on its way) ──left──▶ owing ──any byte, or not read from──▶ content
 */
export class Liveness {
  readonly #source: Source;
  readonly #sink: Sink;
  readonly #stallMs: number;
  #payload: Buffer | undefined;
  #isOwing = false;
  /** `performance.now()` when the last ping had left. */
  #leftAt: number | undefined;
  #receivedThen = 0;
  /** Milliseconds from the last ping to its answer; undefined before there was one. */
  roundTripMs: number | undefined;

  constructor(source: Source, sink: Sink, stallMs: number) {
    this.#source = source;
    this.#sink = sink;
    this.#stallMs = stallMs;
  }

  /** A ping is to be sent. Returns its payload, which nobody can guess: other pongs are not answers to it. */
  ask(): Buffer {
    this.#payload = randomBytes(8);
    this.#isOwing = true;
    this.#leftAt = undefined;
    return this.#payload;
  }

  /** The ping has left this process. */
  left(): void {
    this.#leftAt = performance.now();
    this.#receivedThen = this.#source.received;
    this.#source.wasPaused = this.#source.isPaused;
  }

  /** Whether a pong is the answer to our ping, which is then settled. */
  isAnswer(payload: Buffer): boolean {
    if (!this.#payload?.equals(payload)) return false;
    this.#payload = undefined;
    this.#isOwing = false;
    if (this.#leftAt !== undefined) this.roundTripMs = performance.now() - this.#leftAt;
    return true;
  }

  /**
   * Milliseconds for which the peer has owed a sign of life at `now`; undefined if it owes none. Whoever is not read
   * from, or has just made room in a full sink, is not called silent: that is what the stall deadline is for.
   */
  silence(now: number): number | undefined {
    if (!this.#isOwing) return undefined;
    if (this.#leftAt === undefined) return 0;
    if (this.#source.received !== this.#receivedThen || this.#source.wasPaused) {
      this.#isOwing = false;
      return undefined;
    }
    return Math.max(0, now - Math.max(this.#leftAt, this.#sink.fullUntil + this.#stallMs));
  }
}
