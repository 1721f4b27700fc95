import { BucketTable, type TokenBucket } from '../buckets.ts';
import type { Authority, Holding, RateRule, Taken, Wanted } from './authority.ts';

/** Rules remembered; of more, those that were made first start anew. */
const MOST_RULES = 10_000;

/** The counts of several processes in the memory of one of them. */
export class LocalAuthority {
  readonly #buckets = new Map<string, BucketTable>();
  /** By rule and key: who holds how many. */
  readonly #places = new Map<string, Map<string, number>>();
  readonly #now: (() => number) | undefined;

  constructor(now?: () => number) {
    this.#now = now;
  }

  /** As one of the processes asks it. */
  for(holder: string): Authority {
    return {
      take: async (rule, key, count) => takeUpTo(this.#table(rule).bucket(key), count),
      debit: async (rule, key, count) => this.#table(rule).bucket(key).debit(count),
      hold: async (rule, key, places, max) => this.#hold(JSON.stringify([rule, key]), holder, places, max),
    };
  }

  /** A process has ended: what it held is free. */
  forget(holder: string): void {
    for (const [place, holders] of this.#places) this.#set(place, holders, holder, 0);
  }

  #table(rule: RateRule): BucketTable {
    const known = this.#buckets.get(rule.name);
    if (known) return known;
    const table = new BucketTable(rule.rate, rule.burst, { now: this.#now });
    if (this.#buckets.size >= MOST_RULES) this.#buckets.delete(this.#buckets.keys().next().value as string);
    this.#buckets.set(rule.name, table);
    return table;
  }

  #hold(place: string, holder: string, { held, wanted }: Wanted, max: number): Holding {
    const holders = this.#places.get(place) ?? new Map<string, number>();
    let others = 0;
    for (const [name, count] of holders) if (name !== holder) others += count;
    const granted = Math.max(held, Math.min(wanted, max - others));
    this.#set(place, holders, holder, granted);
    return { held: granted, others };
  }

  #set(place: string, holders: Map<string, number>, holder: string, held: number): void {
    if (held > 0) holders.set(holder, held);
    else holders.delete(holder);
    if (holders.size > 0) this.#places.set(place, holders);
    else this.#places.delete(place);
  }
}

function takeUpTo(bucket: TokenBucket, count: number): Taken {
  const taken = Math.min(count, bucket.remaining);
  if (taken > 0) bucket.take(taken);
  // Refused, it takes nothing.
  return { count: taken, wait: taken < count ? bucket.take(1) : 0 };
}
