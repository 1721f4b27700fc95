/** As long as Pushpin does. */
const FOR_MS = 60_000;
const MAX = 1_000;

interface Entry {
  readonly at: number;
  readonly done: Promise<number>;
}

/** What was published by an id: who publishes it again, for want of an answer, gets that of the first time. */
export class Remembered {
  readonly #entries = new Map<string, Entry>();
  readonly #now: () => number;

  constructor(now = () => performance.now()) {
    this.#now = now;
  }

  /** Publishes unless it was done for this channel and id a minute ago or less, among the last thousand. */
  once(channel: string, id: string, publish: () => Promise<number>): Promise<number> {
    const key = JSON.stringify([channel, id]);
    this.#forget();
    const known = this.#entries.get(key);
    if (known !== undefined) return known.done;
    const done = publish();
    this.#entries.set(key, { at: this.#now(), done });
    return done;
  }

  /** The first are the oldest. */
  #forget(): void {
    for (const [key, { at }] of this.#entries) {
      if (this.#entries.size < MAX && this.#now() - at < FOR_MS) return;
      this.#entries.delete(key);
    }
  }
}
