import type { Rate } from '../../config/units.ts';
import { TokenBucket } from '../buckets.ts';
import { KeyTable } from '../key-table.ts';
import type { Taken } from './authority.ts';

/**
 * What this gateway may let in by itself, by one rule, while nobody keeps the shared counts: its part of the limit, so that
 * all gateways together do not go beyond it. It counts along at all times: whoever has used up that part has none left then.
 */
export class Alone {
  readonly #burst: number;
  readonly #gateways: () => number;
  readonly #buckets: KeyTable<TokenBucket>;

  /** `gateways` says how many were last seen, this one among them. */
  constructor(rate: Rate, burst: number, gateways: () => number, now?: () => number) {
    this.#burst = burst;
    this.#gateways = gateways;
    this.#buckets = new KeyTable(() => new TokenBucket(rate, burst, now));
  }

  /** Takes one; milliseconds until it will be there, 0: it is taken. A limit smaller than the number of gateways lets in one at a time. */
  take(key: string): number {
    return this.#buckets.get(key).take(Math.min(this.#burst, this.#cost(1)));
  }

  /** Takes as many of `count` as there are. */
  takeUpTo(key: string, count: number): Taken {
    for (let taken = 0; taken < count; taken++) {
      const wait = this.take(key);
      if (wait > 0) return { count: taken, wait };
    }
    return { count, wait: 0 };
  }

  /** As TokenBucket does; also what was granted by those who keep the counts, so that it is known here. */
  debit(key: string, count: number): number {
    return this.#buckets.get(key).debit(this.#cost(count));
  }

  /** Each token counts for as many as there are gateways. */
  #cost(count: number): number {
    return count * this.#gateways();
  }
}
