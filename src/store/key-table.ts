/**
 * A value per key, in bounded memory: of more keys than there is room for, those not asked for longest are forgotten. Ask for
 * the value at every use instead of keeping it, or there will be two for a key that was forgotten meanwhile.
 */
export class KeyTable<T> {
  readonly #create: (key: string) => T;
  readonly #half: number;
  /** Keys asked for since the last turn, and those of the turn before: a turn forgets half a table at the cost of none. */
  #young = new Map<string, T>();
  #old = new Map<string, T>();

  constructor(create: (key: string) => T, maxKeys = 100_000) {
    this.#create = create;
    this.#half = Math.max(1, Math.floor(maxKeys / 2));
  }

  /** Entries held at the moment. */
  get size(): number {
    return this.#young.size + this.#old.size;
  }

  /** The value of a key, made if it is new or forgotten. */
  get(key: string): T {
    const known = this.#young.get(key);
    if (known !== undefined) return known;
    const value = this.#old.get(key) ?? this.#create(key);
    if (this.#young.size >= this.#half) this.#turn();
    this.#young.set(key, value);
    return value;
  }

  #turn(): void {
    this.#old = this.#young;
    this.#young = new Map();
  }
}
