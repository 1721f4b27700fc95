/** Calls back once a time has gone by since it was last wound; it goes off once for each winding. */
export class Alarm {
  readonly #onTime: () => void;
  #ms = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(onTime: () => void) {
    this.#onTime = onTime;
  }

  /** Milliseconds from one winding on; 0: never. Winds it. */
  set(ms: number): void {
    this.#ms = ms;
    this.wind();
  }

  wind(): void {
    clearTimeout(this.#timer);
    if (this.#ms > 0) this.#timer = setTimeout(this.#onTime, this.#ms);
  }

  stop(): void {
    clearTimeout(this.#timer);
  }
}
