const TELL_MS = 60_000;

/** Counts the lines a log could not write, and tells of them: of the first at once, of later ones once a minute. */
export class DroppedLines {
  readonly #tell: (lines: number) => void;
  #count = 0;
  #told = 0;
  #pause: NodeJS.Timeout | undefined;

  /** `tell` gets how many lines were dropped since it was last called. It must not throw. */
  constructor(tell: (lines: number) => void) {
    this.#tell = tell;
  }

  /** All of them, since the start. */
  get count(): number {
    return this.#count;
  }

  add(lines: number): void {
    this.#count += lines;
    if (this.#pause === undefined) this.tell();
  }

  /** Tells now of those that nobody has been told of yet, if there are any. */
  tell(): void {
    clearTimeout(this.#pause);
    this.#pause = undefined;
    const lines = this.#count - this.#told;
    if (lines === 0) return;
    this.#told = this.#count;
    this.#pause = setTimeout(() => this.tell(), TELL_MS).unref();
    this.#tell(lines);
  }
}
