import type { Rate } from '../../config/units.ts';
import type { Bucket } from '../index.ts';
import type { Taken } from './authority.ts';

/** What a leased bucket asks, of whoever keeps the tokens that are shared. Neither may reject. */
export interface Lender {
  readonly rate: Rate;
  readonly burst: number;
  /** See Authority. */
  take(count: number): Promise<Taken>;
  debit(count: number): Promise<number>;
}

/** Milliseconds until an answer may have come. */
const ANSWER_MS = 2;

/** Tokens are fetched ahead for so many milliseconds of the rate: what lies unused with all who fetch is to stay below 5 % of it. */
const AHEAD_MS = 20;

/** What was fetched ahead and not used for so long is forgotten: the others were refilled meanwhile. */
const STALE_MS = 1_000;

/** Tokens that were lent: all up to the `last`, counted from the first that ever was, are there `at` that time. */
interface Loan {
  readonly last: number;
  readonly at: number;
}

/**
 * A bucket whose tokens others use too. It fetches them from where they are kept, a few ahead, so that who asks with every
 * message is answered at once; what it has not, it says to be unknown, and fetches.
 *
 * Tokens are counted from the first to the last, those taken and those lent alike: the n-th taken is there when the n-th lent
 * is. One question is under way at a time, and asks for all that is missing by then.
 *
 * ```
 *         there        lent, for later         asked for
 * ├──────────────────┼───────────────────┼─────────────────┤
 * 0      ▲ taken: the next one is free   lent           asked
 * ```
 */
export class LeasedBucket implements Bucket {
  readonly #lender: Lender;
  readonly #now: () => number;
  readonly #tokensPerMs: number;
  readonly #ahead: number;
  #taken = 0;
  /** Of those lent, the ones that are there for sure. */
  #there = 0;
  /** Loans for later, in order. */
  readonly #later: Loan[] = [];
  #lent = 0;
  #asked = 0;
  /** The last answer was that there are none to spare until then. */
  #noneUntil = 0;
  #usedAt = 0;

  constructor(lender: Lender, now: () => number) {
    const { rate, burst } = lender;
    this.#lender = lender;
    this.#now = now;
    this.#tokensPerMs = rate.count / rate.perMs;
    this.#ahead = Math.floor(Math.min(this.#tokensPerMs * AHEAD_MS, burst / 20));
  }

  get taken(): number {
    return this.#taken;
  }

  take(count: number, now: number): number {
    this.#settle(now);
    const token = this.#taken + count;
    const wait = this.#waitFor(token, now);
    if (wait === 0) {
      this.#taken = token;
      this.#fetchAhead(now);
      return 0;
    }
    if (wait !== undefined) return wait;
    if (now < this.#noneUntil) return Math.ceil(this.#noneUntil - now);
    if (count > this.#lender.burst) return Infinity;
    if (!this.#isAsking) void this.#fetchStrictly(token - this.#lent);
    return -ANSWER_MS;
  }

  debit(count: number, now: number): number {
    this.#settle(now);
    this.#taken += count;
    if (this.#taken > this.#asked) this.#fetchMissing(now);
    else this.#fetchAhead(now);
    return this.msUntil(this.#taken, now);
  }

  /** Those who wait move up. */
  giveBack(count: number): void {
    this.#taken -= count;
  }

  msUntil(turn: number, now: number): number {
    this.#settle(now);
    // Who was before it may have given up, or the bucket was forgotten meanwhile.
    const wait = this.#waitFor(Math.min(turn, this.#taken), now);
    if (wait !== undefined) return wait;
    this.#fetchMissing(now);
    return -ANSWER_MS;
  }

  get #isAsking(): boolean {
    return this.#asked > this.#lent;
  }

  /** Milliseconds until a token is there; undefined: it is not lent yet. */
  #waitFor(token: number, now: number): number | undefined {
    if (token <= this.#there) return 0;
    const loan = this.#later.find(({ last }) => token <= last);
    if (loan === undefined) return undefined;
    // They come one by one, the last of them at the time of the loan.
    const before = (loan.last - token) / this.#tokensPerMs;
    return Math.max(0, Math.ceil(loan.at - before - now));
  }

  /** What has come is there; what has lain for too long counts as taken. */
  #settle(now: number): void {
    for (let loan = this.#later[0]; loan !== undefined && loan.at <= now; loan = this.#later[0]) {
      this.#there = loan.last;
      this.#later.shift();
    }
    if (now - this.#usedAt > STALE_MS) this.#taken = Math.max(this.#taken, this.#there);
    this.#usedAt = now;
  }

  /** Half of what is to be ahead is gone, and there was enough for all when last asked. */
  #fetchAhead(now: number): void {
    if (this.#isAsking || now < this.#noneUntil) return;
    if (this.#lent - this.#taken < this.#ahead / 2) void this.#fetch(this.#ahead);
  }

  #fetchMissing(now: number): void {
    if (this.#isAsking) return;
    const ahead = now < this.#noneUntil ? 0 : this.#ahead;
    const missing = this.#taken - this.#lent;
    if (missing > 0) void this.#fetch(missing + ahead);
  }

  async #fetch(count: number): Promise<void> {
    this.#asked = this.#lent + count;
    const wait = await this.#lender.debit(count);
    this.#lend(count, wait);
    if (this.#taken > this.#lent) this.#fetchMissing(this.#now());
  }

  /** Asks for tokens only if they are there. */
  async #fetchStrictly(missing: number): Promise<void> {
    this.#asked = this.#lent + missing + this.#ahead;
    const { count, wait } = await this.#lender.take(missing + this.#ahead);
    this.#lend(count, 0);
    if (count < missing) this.#noneUntil = this.#now() + wait;
  }

  #lend(count: number, wait: number): void {
    const now = this.#now();
    this.#lent += count;
    this.#asked = this.#lent;
    if (wait > 0) this.#noneUntil = now + wait;
    if (this.#later.length === 0 && wait === 0) this.#there = this.#lent;
    else this.#later.push({ last: this.#lent, at: now + wait });
  }
}
