import type { Places, Release } from './index.ts';

/** How many places are taken per key. Holds only keys with places taken, so it is as large as what it counts. */
export class CounterTable implements Places {
  readonly #counts = new Map<string, number>();

  /** Keys with at least one place taken. */
  get size(): number {
    return this.#counts.size;
  }

  /** Takes one of `max` places and returns its undo, which may be called twice; undefined if all are taken. */
  acquire(key: string, max: number): Release | undefined {
    const taken = this.#counts.get(key) ?? 0;
    if (taken >= max) return undefined;
    this.#counts.set(key, taken + 1);
    let held = true;
    return () => {
      if (held) this.#release(key);
      held = false;
    };
  }

  #release(key: string): void {
    const left = (this.#counts.get(key) ?? 1) - 1;
    if (left > 0) this.#counts.set(key, left);
    else this.#counts.delete(key);
  }
}
