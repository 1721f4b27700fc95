import type { Buckets, Rates } from '../index.ts';
import { KeyTable } from '../key-table.ts';
import { Alone } from './alone.ts';
import type { Authority, RateRule, Taken } from './authority.ts';
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

/** Somebody who asks for one, and is told the wait. */
interface Asking {
  resolve(wait: number): void;
  reject(refusal: Error): void;
}

/** What is known and asked of one key. */
interface Asked {
  /** There are none until then: who is refused a thousand times asks once. */
  noneUntil: number;
  waiting: Asking[];
  isAsking: boolean;
}

/** How many a rule lets in, of all that share the count. One question a key is under way at a time, for all who ask. */
export class SharedRates implements Rates {
  readonly #rule: RateRule;
  readonly #deps: SharedDeps;
  readonly #alone: Alone;
  readonly #keys = new KeyTable<Asked>(() => ({ noneUntil: 0, waiting: [], isAsking: false }));

  constructor(rule: RateRule, deps: SharedDeps) {
    this.#rule = rule;
    this.#deps = deps;
    this.#alone = new Alone(rule.rate, rule.burst, deps.gateways, deps.now);
  }

  /** Rejects with the refusal of `deps` where nobody answers, if there is one. */
  take(key: string): number | Promise<number> {
    const asked = this.#keys.get(key);
    const left = asked.noneUntil - this.#deps.now();
    if (left > 0) return Math.ceil(left);
    return new Promise((resolve, reject) => {
      asked.waiting.push({ resolve, reject });
      if (!asked.isAsking) void this.#askFor(key, asked);
    });
  }

  async #askFor(key: string, asked: Asked): Promise<void> {
    asked.isAsking = true;
    while (asked.waiting.length > 0) await this.#ask(key, asked, asked.waiting.splice(0));
    asked.isAsking = false;
  }

  async #ask(key: string, asked: Asked, asking: readonly Asking[]): Promise<void> {
    const { authority, now } = this.#deps;
    try {
      const late = ({ wait }: Taken) => {
        if (wait > 0) asked.noneUntil = now() + wait;
      };
      const { count, wait } = await authority.take(this.#rule, key, asking.length, late);
      this.#alone.debit(key, count);
      if (wait > 0) asked.noneUntil = now() + wait;
      for (const [index, { resolve }] of asking.entries()) resolve(index < count ? 0 : wait);
    } catch (cause) {
      for (const each of asking) this.#judgeAlone(key, each, cause);
    }
  }

  #judgeAlone(key: string, { resolve, reject }: Asking, cause: unknown): void {
    const { refusal } = this.#deps;
    if (refusal) reject(refusal(cause));
    else resolve(this.#alone.take(key));
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
        async take(count: number): Promise<Taken> {
          try {
            const taken = await authority.take(rule, key, count);
            alone.debit(key, taken.count);
            return taken;
          } catch {
            return alone.takeUpTo(key, count);
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
