/**
 * Calls back once a time has gone by since it was last wound. It runs between `start` and `stop` only: what is set before
 * that waits for it.
 */
export class Alarm {
  readonly #onTime: () => void;
  #ms = 0;
  #isRunning = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(onTime: () => void) {
    this.#onTime = onTime;
  }

  start(): void {
    this.#isRunning = true;
    this.wind();
  }

  /** Milliseconds from one winding on; 0: never. Winds it. */
  set(ms: number): void {
    this.#ms = ms;
    this.wind();
  }

  wind(): void {
    this.hold();
    if (this.#isRunning && this.#ms > 0) this.#timer = setTimeout(this.#onTime, this.#ms);
  }

  /** It does not go off until it is wound again. */
  hold(): void {
    clearTimeout(this.#timer);
  }

  /** For good. */
  stop(): void {
    this.#isRunning = false;
    this.hold();
  }
}
