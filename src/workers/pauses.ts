/** One that has lived for so long is well. */
const WELL_MS = 10_000;
const FIRST_MS = 100;
const LONGEST_MS = 30_000;

/** How long a worker's place stays empty when it has died: not at all, but longer and longer if it dies again and again. */
export class Pauses {
  readonly #now: () => number;
  #begunAt = 0;
  #soon = 0;

  /** `now` never jumps, in milliseconds. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  begin(): void {
    this.#begunAt = this.#now();
  }

  /** Milliseconds. */
  next(): number {
    const isWell = this.#now() - this.#begunAt >= WELL_MS;
    this.#soon = isWell ? 0 : this.#soon + 1;
    if (this.#soon <= 1) return 0;
    return Math.min(FIRST_MS * 2 ** (this.#soon - 2), LONGEST_MS);
  }
}
