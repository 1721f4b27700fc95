/** Room for sessions without clients that each hold a descriptor all the same, on all routes together. */
export class ParkingSpace {
  readonly #max: number;
  #taken = 0;

  /** So many at a time; Infinity for no bound. */
  constructor(max: number) {
    this.#max = max;
  }

  /** Undefined if there is no room, else the undo, to be called once. */
  take(): (() => void) | undefined {
    if (this.#taken >= this.#max) return undefined;
    this.#taken++;
    return () => {
      this.#taken--;
    };
  }
}
