import { GatewayError } from '../errors.ts';
import type { LimitHit } from '../limit-hit.ts';
import type { TokenBucket } from '../store/buckets.ts';
import type { Bucket, Buckets } from '../store/index.ts';

/** One limit as one connection meets it. */
export interface Share {
  readonly rule: ShareRule;
  /** The bucket of a lone connection; unless it has one, that of its key is asked for at every use. */
  readonly own: TokenBucket | undefined;
  readonly key: string;
}

/** One limit, the same for all connections of its route. */
export interface ShareRule {
  readonly hit: LimitHit;
  readonly buckets: Buckets;
  /** Beyond it the connection is closed; else it waits. */
  readonly closes: boolean;
  /** What is not there is not taken; else it is owed. */
  readonly isStrict: boolean;
  /** The connection has to wait, or is closed. */
  readonly onExceeded: () => void;
}

/** setTimeout holds no more, and fires at once beyond it: a debt of months would be forgiven. */
const LONGEST_MS = 2_147_483_647;

/**
 * What one connection may still send of one kind, under all limits of that kind. Asked once a frame or a chunk, so that it
 * must cost next to nothing.
 *
 * Connections that share a bucket have turns. Whoever has to wait takes its token at once, as a debt of the bucket, and
 * passes when that is paid off, without asking again: those who come later queue behind it, however busy they are.
 */
export class Allowance {
  /** Those that close first: what they refuse is owed nowhere else. */
  readonly #shares: readonly Share[];
  /** When the wait is over, as far as is known; 0 while there is none. */
  #dueAt = 0;
  /** What is waited for, by share; undefined: to be charged then. */
  #turns: readonly number[] | undefined;

  constructor(shares: readonly Share[]) {
    this.#shares = shares.toSorted((one, other) => Number(other.rule.closes) - Number(one.rule.closes));
  }

  /** Milliseconds until one message may pass; 0: it passes now. Asked again, it is the same message. Throws RATE_LIMITED. */
  admit(now: number): number {
    if (this.#dueAt === 0) return this.#charge(1, now);
    return now < this.#dueAt ? this.#left(now) : this.#onDue(1, now);
  }

  /** Bytes have passed: milliseconds until there may be more. None say how long the last ones are waited for. Throws RATE_LIMITED. */
  settle(count: number, now: number): number {
    if (count > 0) return this.#charge(count, now);
    if (this.#dueAt === 0) return 0;
    return now < this.#dueAt ? this.#left(now) : this.#onDue(0, now);
  }

  /** The message that waits will not pass: others may have its token. Again is a no-op. */
  giveBack(): void {
    if (this.#dueAt === 0) return;
    this.#dueAt = 0;
    if (this.#turns === undefined) return;
    for (const share of this.#shares) if (!share.rule.closes) bucketOf(share).giveBack(1);
  }

  #charge(count: number, now: number): number {
    const shares = this.#shares;
    let longest: Hold | undefined;
    for (let index = 0; index < shares.length; index++) {
      const share = shares[index] as Share;
      const wait = spend(share, count, now);
      if (wait === 0) continue;
      if (wait < 0 && share.rule.isStrict) return this.#chargeLater(index, count, now, -wait);
      longest = longer(longest, { rule: share.rule, wait });
    }
    if (longest === undefined) return 0;
    this.#turns = shares.map((share) => bucketOf(share).taken);
    return this.#hold(longest, now);
  }

  /** Whether there is a token is known in so many milliseconds. Those before it, strict too, are charged again then. */
  #chargeLater(index: number, count: number, now: number, ms: number): number {
    for (const share of this.#shares.slice(0, index)) bucketOf(share).giveBack(count);
    this.#turns = undefined;
    this.#dueAt = now + ms;
    return this.#left(now);
  }

  /** The wait that was told is over. Where others share the bucket, more may be known by now. */
  #onDue(count: number, now: number): number {
    const turns = this.#turns;
    this.#dueAt = 0;
    if (turns === undefined) return this.#charge(count, now);
    let longest: Hold | undefined;
    for (const [index, share] of this.#shares.entries()) {
      const wait = bucketOf(share).msUntil(turns[index] as number, now);
      if (wait !== 0) longest = longer(longest, { rule: share.rule, wait });
    }
    return longest === undefined ? 0 : this.#hold(longest, now);
  }

  #hold({ rule, wait }: Hold, now: number): number {
    if (wait > 0) rule.onExceeded();
    this.#dueAt = now + Math.abs(wait);
    return this.#left(now);
  }

  #left(now: number): number {
    return Math.min(Math.ceil(this.#dueAt - now), LONGEST_MS);
  }
}

function spend(share: Share, count: number, now: number): number {
  const bucket = bucketOf(share);
  return share.rule.isStrict ? bucket.take(count, now) : bucket.debit(count, now);
}

function bucketOf({ own, rule, key }: Share): Bucket {
  return own ?? rule.buckets.bucket(key);
}

/** What a connection has to wait for; how long, as a bucket tells it. */
interface Hold {
  readonly rule: ShareRule;
  readonly wait: number;
}

/** Throws RATE_LIMITED where the connection does not wait, but is closed. */
function longer(longest: Hold | undefined, hold: Hold): Hold {
  const { rule, wait } = hold;
  if (wait > 0 && rule.closes) {
    rule.onExceeded();
    throw new GatewayError('RATE_LIMITED', { limit: rule.hit });
  }
  return longest !== undefined && Math.abs(longest.wait) >= Math.abs(wait) ? longest : hold;
}
