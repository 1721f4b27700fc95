/** What is asked of those who answer: so many milliseconds each, … */
const WITHIN_MS = 50;
/** … and after so many that did not, nobody is asked for a while but one, to see. */
const FAILURES = 3;
const PAUSE_MS = 1_000;

/** Hears how those who keep what is shared do. */
export interface GuardObserver {
  /** They do not answer, for this reason: each gateway is by itself until they do. */
  failed(cause: unknown): void;
  /** They answer again. */
  recovered(): void;
}

interface GuardOptions {
  readonly observer?: GuardObserver | undefined;
  /** Milliseconds of a clock that never jumps. */
  readonly now?: () => number;
  readonly withinMs?: number | undefined;
}

/**
 * Asks so that every answer comes within 50 ms, or is a rejection: a handshake that waits longer is worse than one that is
 * judged alone. While answers fail to come, the question is put once a second.
 *
 * ```
 * answering ──3 failures──▶ failing ──1 s──▶ trying ──answer──▶ answering
 *                              ▲────failure────┘
 * ```
 */
export class Guard {
  readonly #observer: GuardObserver | undefined;
  readonly #now: () => number;
  readonly #withinMs: number;
  #failures = 0;
  /** Nobody is asked before; 0 while it answers. */
  #pausedUntil = 0;
  #lastCause: unknown;

  constructor({ observer, now, withinMs = WITHIN_MS }: GuardOptions = {}) {
    this.#observer = observer;
    this.#now = now ?? (() => performance.now());
    this.#withinMs = withinMs;
  }

  get isAnswering(): boolean {
    return this.#pausedUntil === 0;
  }

  /**
   * What `question` resolves with. Rejects as it does, where nothing comes in time, and at once where it is not asked. `late`
   * hears what comes after its time.
   */
  async ask<T>(question: () => Promise<T>, late?: (answer: T) => void): Promise<T> {
    const now = this.#now();
    if (now < this.#pausedUntil) throw this.#lastCause;
    // One tries; the others who ask meanwhile wait for what comes of it no longer than this.
    if (this.#pausedUntil > 0) this.#pausedUntil = now + PAUSE_MS;
    try {
      const answer = await within(this.#withinMs, question(), late);
      this.#onAnswer();
      return answer;
    } catch (cause) {
      this.#onFailure(cause);
      throw cause;
    }
  }

  #onAnswer(): void {
    this.#failures = 0;
    if (this.isAnswering) return;
    this.#pausedUntil = 0;
    this.#observer?.recovered();
  }

  #onFailure(cause: unknown): void {
    this.#lastCause = cause;
    this.#failures += 1;
    if (this.#failures < FAILURES) return;
    const wasAnswering = this.isAnswering;
    this.#pausedUntil = this.#now() + PAUSE_MS;
    if (wasAnswering) this.#observer?.failed(cause);
  }
}

/**
 * What a promise resolves with, or rejects with after so many milliseconds. An answer that has come by then but was not read,
 * since this process was busy, counts.
 */
function within<T>(ms: number, promise: Promise<T>, late?: (answer: T) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    let isLate = false;
    function giveUp(): void {
      isLate = true;
      reject(new Error(`no answer in ${ms} ms`));
    }
    const timer = setTimeout(() => setImmediate(giveUp), ms);
    function settle(act: () => void): void {
      clearTimeout(timer);
      act();
    }
    promise.then(
      (value) => settle(() => (isLate ? late?.(value) : resolve(value))),
      (cause) => settle(() => reject(cause)),
    );
  });
}
