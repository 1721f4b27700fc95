import type { Rate } from '../config/units.ts';
import type { Bucket, Buckets, Rates } from './index.ts';
import { KeyTable } from './key-table.ts';

/** Milliseconds of a clock that never jumps; `performance.now` unless a test brings its own. */
export type Clock = () => number;

const steady: Clock = () => performance.now();

/** Sums of fractions are off by less than this many tokens: without it a bucket may refuse its very last one. */
const ROUNDING = 1e-6;

/**
 * A token bucket: `burst` tokens may be taken at once, then `rate` per time. It keeps what has been taken and when
 * it last looked, and refills by that difference: no timer, no allocation, a few additions per take.
 */
export class TokenBucket implements Bucket {
  /** What it answers is final: nobody has to ask again. */
  readonly taken = 0;
  readonly #burst: number;
  readonly #tokensPerMs: number;
  readonly #now: Clock;
  /** Tokens missing at the moment `#at`: 0 is full, more than `#burst` is debt. */
  #missing = 0;
  #at = 0;

  /** `burst` is the bucket's size in tokens. Starts full. */
  constructor(rate: Rate, burst: number, now: Clock = steady) {
    this.#burst = burst;
    this.#tokensPerMs = rate.count / rate.perMs;
    this.#now = now;
  }

  /**
   * Takes `n` tokens if they are there. 0: taken. Otherwise nothing is taken, and the answer is the whole
   * milliseconds until they will be there; Infinity for more than the bucket can ever hold. Whoever takes many times at
   * one moment may read the clock once and pass it as `now`.
   */
  take(n = 1, now = this.#now()): number {
    if (n > this.#burst) return Infinity;
    const wait = this.#msUntilPaid(this.#refill(now) + n);
    if (wait === 0) this.#missing += n;
    return wait;
  }

  /** Takes `n` tokens even where they are not there yet. Whole milliseconds until the debt is paid off; 0 if there is none. */
  debit(n: number, now = this.#now()): number {
    this.#missing = this.#refill(now) + n;
    return this.#msUntilPaid(this.#missing);
  }

  /** Puts `n` tokens back that were taken for nothing. */
  giveBack(n: number): void {
    this.#missing = Math.max(0, this.#missing - n);
  }

  msUntil(): number {
    return 0;
  }

  /** Whole tokens that could be taken now. */
  get remaining(): number {
    return Math.max(0, Math.floor(this.#burst - this.#refill(this.#now()) + ROUNDING));
  }

  #refill(now: number): number {
    this.#missing = Math.max(0, this.#missing - (now - this.#at) * this.#tokensPerMs);
    this.#at = now;
    return this.#missing;
  }

  #msUntilPaid(missing: number): number {
    const debt = missing - this.#burst - ROUNDING;
    return debt > 0 ? Math.ceil(debt / this.#tokensPerMs) : 0;
  }
}

interface TableOptions {
  /** Buckets kept at most, some 200 bytes each. */
  readonly maxKeys?: number;
  readonly now?: Clock;
}

/** A token bucket per key of this process, in bounded memory: what is forgotten is full again. */
export class BucketTable implements Buckets, Rates {
  readonly #table: KeyTable<TokenBucket>;

  constructor(rate: Rate, burst: number, { maxKeys, now }: TableOptions = {}) {
    this.#table = new KeyTable(() => new TokenBucket(rate, burst, now), maxKeys);
  }

  /** Entries held at the moment. */
  get size(): number {
    return this.#table.size;
  }

  /** The bucket of a key: full if it is new or forgotten. */
  bucket(key: string): TokenBucket {
    return this.#table.get(key);
  }

  take(key: string): number {
    return this.bucket(key).take();
  }
}
