import type { Rate } from '../config/units.ts';

/** Milliseconds of a clock that never jumps; `performance.now` unless a test brings its own. */
export type Clock = () => number;

const steady: Clock = () => performance.now();

/** Sums of fractions are off by less than this many milliseconds: without it a full bucket may refuse its last token. */
const ROUNDING = 0.001;

/**
 * A token bucket: `burst` may be taken at once, then `rate` per time. Kept as one number (the generic cell rate
 * algorithm, ITU-T I.371): the moment at which the bucket will be full again. Taking moves that moment on, so
 * nothing has to be refilled and no timer runs.
 */
export class TokenBucket {
  readonly #now: Clock;
  readonly #msPerToken: number;
  readonly #msToFill: number;
  readonly #burst: number;
  #fullAt = -Infinity;

  /** `burst` is the bucket's size in tokens. Starts full. */
  constructor(rate: Rate, burst: number, now: Clock = steady) {
    this.#now = now;
    this.#burst = burst;
    this.#msPerToken = rate.perMs / rate.count;
    this.#msToFill = burst * this.#msPerToken;
  }

  /**
   * Takes `n` tokens if they are there. 0: taken. Otherwise nothing is taken, and the answer is the whole
   * milliseconds until they will be there; Infinity for more than the bucket can ever hold.
   */
  take(n = 1): number {
    if (n > this.#burst) return Infinity;
    const now = this.#now();
    const fullAt = Math.max(this.#fullAt, now) + n * this.#msPerToken;
    const wait = fullAt - now - this.#msToFill - ROUNDING;
    if (wait > 0) return Math.ceil(wait);
    this.#fullAt = fullAt;
    return 0;
  }

  /** Takes `n` tokens even where they are not there yet. Whole milliseconds until the debt is paid off; 0 if there is none. */
  debit(n: number): number {
    const now = this.#now();
    this.#fullAt = Math.max(this.#fullAt, now) + n * this.#msPerToken;
    return Math.max(0, Math.ceil(this.#fullAt - now - this.#msToFill - ROUNDING));
  }

  /** Whole tokens that could be taken now; never negative. */
  get remaining(): number {
    const missing = Math.max(0, this.#fullAt - this.#now() - ROUNDING) / this.#msPerToken;
    return Math.max(0, Math.floor(this.#burst - missing));
  }

  /** A full bucket remembers nothing: it is as good as a new one. */
  get full(): boolean {
    return this.#fullAt <= this.#now();
  }
}

interface TableOptions {
  /** Buckets kept at most. Default 100 000, which is some 15 MB. */
  readonly maxKeys?: number;
  readonly now?: Clock;
}

/**
 * A token bucket per key, in bounded memory. Ask for the bucket at every use and do not keep it: a full one may be
 * forgotten at any time, and two buckets for one key would grant twice.
 */
export class BucketTable {
  readonly #rate: Rate;
  readonly #burst: number;
  readonly #maxKeys: number;
  readonly #now: Clock | undefined;
  readonly #buckets = new Map<string, TokenBucket>();
  /** Walks the table round and round, oldest first: each new key moves it two steps on. */
  #hand = this.#buckets.entries();

  constructor(rate: Rate, burst: number, { maxKeys = 100_000, now }: TableOptions = {}) {
    this.#rate = rate;
    this.#burst = burst;
    this.#maxKeys = maxKeys;
    this.#now = now;
  }

  /** Keys remembered at the moment. */
  get size(): number {
    return this.#buckets.size;
  }

  bucket(key: string): TokenBucket {
    const known = this.#buckets.get(key);
    if (known) return known;
    this.#forget();
    this.#forget();
    const bucket = new TokenBucket(this.#rate, this.#burst, this.#now);
    this.#buckets.set(key, bucket);
    return bucket;
  }

  /** Drops the bucket under the hand if it is full, or if there is no room for another. */
  #forget(): void {
    let step = this.#hand.next();
    if (step.done) {
      this.#hand = this.#buckets.entries();
      step = this.#hand.next();
    }
    if (step.done) return;
    const [key, bucket] = step.value;
    if (bucket.full || this.#buckets.size >= this.#maxKeys) this.#buckets.delete(key);
  }
}
