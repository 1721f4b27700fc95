import type { Buckets, Rates } from '../index.ts';
import { KeyTable } from '../key-table.ts';
import { Alone } from './alone.ts';
import type { Authority, RateRule } from './authority.ts';
import { LeasedBucket } from './leased-bucket.ts';

/** What the counts of one rule are kept with. */
export interface SharedDeps {
  readonly authority: Authority;
  /** How many were last seen, this one among them. */
  readonly gateways: () => number;
  /** What is thrown where nobody keeps the counts and this gateway is not to judge alone. Absent: it judges alone. */
  readonly refusal?: ((cause: unknown) => Error) | undefined;
  /** Milliseconds of a clock that never jumps. */
  readonly now: () => number;
}

/** How many a rule lets in, of all that share the count. */
export class SharedRates implements Rates {
  readonly #rule: RateRule;
  readonly #deps: SharedDeps;
  readonly #alone: Alone;
  /** Keys known to have none, and until when: who is refused a thousand times asks once. */
  readonly #none = new KeyTable<{ until: number }>(() => ({ until: 0 }));

  constructor(rule: RateRule, deps: SharedDeps) {
    this.#rule = rule;
    this.#deps = deps;
    this.#alone = new Alone(rule.rate, rule.burst, deps.gateways, deps.now);
  }

  /** Rejects with the refusal of `deps` where nobody answers, if there is one. */
  take(key: string): number | Promise<number> {
    const none = this.#none.get(key);
    const left = none.until - this.#deps.now();
    return left > 0 ? Math.ceil(left) : this.#ask(key, none);
  }

  async #ask(key: string, none: { until: number }): Promise<number> {
    const { authority, refusal, now } = this.#deps;
    try {
      const wait = await authority.take(this.#rule, key, 1);
      if (wait === 0) this.#alone.debit(key, 1);
      else none.until = now() + wait;
      return wait;
    } catch (cause) {
      if (refusal) throw refusal(cause);
      return this.#alone.take(key, 1);
    }
  }
}

/** What connections may send, of all that share the count. Where nobody keeps it, each gateway has its part. */
export class SharedBuckets implements Buckets {
  readonly #table: KeyTable<LeasedBucket>;

  constructor(rule: RateRule, { authority, gateways, now }: SharedDeps) {
    const alone = new Alone(rule.rate, rule.burst, gateways, now);
    this.#table = new KeyTable((key) => new LeasedBucket(lender(key), now));

    function lender(key: string) {
      return {
        ...rule,
        async take(count: number): Promise<number> {
          try {
            const wait = await authority.take(rule, key, count);
            if (wait === 0) alone.debit(key, count);
            return wait;
          } catch {
            return alone.take(key, count);
          }
        },
        async debit(count: number): Promise<number> {
          const wait = alone.debit(key, count);
          return authority.debit(rule, key, count).catch(() => wait);
        },
      };
    }
  }

  bucket(key: string): LeasedBucket {
    return this.#table.get(key);
  }
}
