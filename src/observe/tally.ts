/** How often the sum of what happened may be told, in milliseconds. */
const EVERY_MS = 1_000;

/**
 * Tells of what may happen any number of times a second at most once a second: the first at once, those that follow
 * within the second together at its end.
 */
export class Tally {
  readonly #tell: (counts: Readonly<Record<string, number>>) => void;
  #counts: Record<string, number> = {};
  #timer: NodeJS.Timeout | undefined;

  /** `tell` is given how many times each thing has happened since it was called last. */
  constructor(tell: (counts: Readonly<Record<string, number>>) => void) {
    this.#tell = tell;
  }

  add(what: string): void {
    this.#counts[what] = (this.#counts[what] ?? 0) + 1;
    if (this.#timer === undefined) this.#tellAll();
  }

  readonly #tellAll = (): void => {
    this.#timer = undefined;
    const counts = this.#counts;
    if (Object.keys(counts).length === 0) return;
    this.#counts = {};
    // It holds no process that is done.
    this.#timer = setTimeout(this.#tellAll, EVERY_MS).unref();
    this.#tell(counts);
  };
}
