/** What strangers may cause, in milliseconds. */
export interface Pace {
  /** From one fetch, however it ended, until a token may cause the next. */
  readonly earliestMs: number;
  /** No token causes a third fetch within this time. */
  readonly coolDownMs: number;
}

/**
 * When a token with an unknown key id may cause a fetch. Any stranger can invent key ids, so that only the clock decides: a
 * key that is signed with at once is known some seconds later, and a flood of invented ones comes to two fetches in a while.
 */
export class FetchPace {
  readonly #pace: Pace;
  #last = Number.NEGATIVE_INFINITY;
  #lastButOne = Number.NEGATIVE_INFINITY;

  constructor(pace: Pace) {
    this.#pace = pace;
  }

  /** A fetch begins, whoever caused it. */
  note(now: number): void {
    this.#lastButOne = this.#last;
    this.#last = now;
  }

  /** Milliseconds until a token may cause one; 0: now. */
  wait(now: number): number {
    const { earliestMs, coolDownMs } = this.#pace;
    return Math.max(0, this.#last + earliestMs - now, this.#lastButOne + coolDownMs - now);
  }
}
