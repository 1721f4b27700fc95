import type { Authority, RateRule, Wanted } from '../store/shared/authority.ts';
import { LocalAuthority } from '../store/shared/local-authority.ts';
import type { Line } from './line.ts';

/** The counts that workers share are the primary's, which answers them one by one: exact, and without a store. */

const TAKE = 'count.take';
const DEBIT = 'count.debit';
const HOLD = 'count.hold';

interface Spent {
  readonly rule: RateRule;
  readonly key: string;
  readonly count: number;
}

interface Held {
  readonly rule: string;
  readonly key: string;
  readonly places: Wanted;
  readonly max: number;
}

/** The counts, as a worker asks its primary for them. */
export function countsOf(primary: Line): Authority {
  return {
    take: (rule, key, count) => primary.ask(TAKE, { rule, key, count }) as ReturnType<Authority['take']>,
    debit: (rule, key, count) => primary.ask(DEBIT, { rule, key, count }) as ReturnType<Authority['debit']>,
    hold: (rule, key, places, max) =>
      primary.ask(HOLD, { rule, key, places, max }) as ReturnType<Authority['hold']>,
  };
}

/** The counts, as the primary keeps them. */
export class Counts {
  readonly #authority: LocalAuthority;

  constructor(authority = new LocalAuthority()) {
    this.#authority = authority;
  }

  /** Answers a worker, which holds its places by this name. Returns its undo: what it held is free. */
  serve(worker: Line, holder: string): () => void {
    const counts = this.#authority.for(holder);
    worker.answer(TAKE, ({ rule, key, count }: Spent) => counts.take(rule, key, count));
    worker.answer(DEBIT, ({ rule, key, count }: Spent) => counts.debit(rule, key, count));
    worker.answer(HOLD, ({ rule, key, places, max }: Held) => counts.hold(rule, key, places, max));
    return () => this.#authority.forget(holder);
  }
}
