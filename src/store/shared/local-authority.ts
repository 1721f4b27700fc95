import { BucketTable } from '../buckets.ts';
import type { Authority, Holding, RateRule } from './authority.ts';

/** Rules remembered; of more, those that were made first start anew. */
const MOST_RULES = 10_000;

/** The counts of several processes in the memory of one of them: what the primary of a group of workers keeps. */
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
      take: async (rule, key, count) => this.#table(rule).bucket(key).take(count),
      debit: async (rule, key, count) => this.#table(rule).bucket(key).debit(count),
      hold: async (rule, key, held, max) => this.#hold(JSON.stringify([rule, key]), holder, held, max),
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

  #hold(place: string, holder: string, held: number, max: number): Holding {
    const holders = this.#places.get(place) ?? new Map<string, number>();
    let others = 0;
    for (const [name, count] of holders) if (name !== holder) others += count;
    const isGranted = others + held <= max;
    if (isGranted) this.#set(place, holders, holder, held);
    return { isGranted, others };
  }

  #set(place: string, holders: Map<string, number>, holder: string, held: number): void {
    if (held > 0) holders.set(holder, held);
    else holders.delete(holder);
    if (holders.size > 0) this.#places.set(place, holders);
    else this.#places.delete(place);
  }
}
