/** Values by key, each kept only as long as somebody else holds it. */
export class WeakValues<T extends object> {
  readonly #values = new Map<string, WeakRef<T>>();
  readonly #collected = new FinalizationRegistry<string>((key) => {
    // Under the same key there may be another by now.
    if (this.#values.get(key)?.deref() === undefined) this.#values.delete(key);
  });

  /** Keys held, those of values just collected among them. */
  get size(): number {
    return this.#values.size;
  }

  *[Symbol.iterator](): Iterator<T> {
    for (const value of this.#values.values()) {
      const held = value.deref();
      if (held !== undefined) yield held;
    }
  }

  /** The value of a key, made if there is none. */
  get(key: string, create: () => T): T {
    const known = this.#values.get(key)?.deref();
    if (known !== undefined) return known;
    const value = create();
    this.#values.set(key, new WeakRef(value));
    this.#collected.register(value, key);
    return value;
  }
}
