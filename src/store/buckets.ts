import type { Rate } from '../config/units.ts';
import type { Buckets } from './index.ts';

/** Milliseconds of a clock that never jumps; `performance.now` unless a test brings its own. */
export type Clock = () => number;

const steady: Clock = () => performance.now();

/** Sums of fractions are off by less than this many tokens: without it a bucket may refuse its very last one. */
const ROUNDING = 1e-6;

/**
 * A token bucket: `burst` tokens may be taken at once, then `rate` per time. It keeps what has been taken and when
 * it last looked, and refills by that difference: no timer, no allocation, a few additions per take.
 */
export class TokenBucket {
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

/**
 * A token bucket per key, in bounded memory: of more keys than there is room for, those not asked for longest are
 * forgotten. Ask for the bucket at every use instead of keeping it, or a forgotten key will be granted twice.
 */
export class BucketTable implements Buckets {
  readonly #rate: Rate;
  readonly #burst: number;
  readonly #now: Clock | undefined;
  readonly #half: number;
  /** Keys asked for since the last turn, and those of the turn before: a turn forgets half a table at the cost of none. */
  #young = new Map<string, TokenBucket>();
  #old = new Map<string, TokenBucket>();

  constructor(rate: Rate, burst: number, { maxKeys = 100_000, now }: TableOptions = {}) {
    this.#rate = rate;
    this.#burst = burst;
    this.#half = Math.max(1, Math.floor(maxKeys / 2));
    this.#now = now;
  }

  /** Entries held at the moment. */
  get size(): number {
    return this.#young.size + this.#old.size;
  }

  /** The bucket of a key: full if it is new or forgotten. */
  bucket(key: string): TokenBucket {
    const known = this.#young.get(key);
    if (known) return known;
    const bucket = this.#old.get(key) ?? new TokenBucket(this.#rate, this.#burst, this.#now);
    if (this.#young.size >= this.#half) this.#turn();
    this.#young.set(key, bucket);
    return bucket;
  }

  #turn(): void {
    this.#old = this.#young;
    this.#young = new Map();
  }
}
