import type { Authority, Holding, Late, RateRule, Taken, Wanted } from './authority.ts';
import type { Guard } from './guard.ts';

/** An authority that is asked behind a guard. */
export class GuardedAuthority implements Authority {
  readonly #authority: Authority;
  readonly #guard: Guard;

  constructor(authority: Authority, guard: Guard) {
    this.#authority = authority;
    this.#guard = guard;
  }

  take(rule: RateRule, key: string, count: number, late?: Late<Taken>): Promise<Taken> {
    return this.#guard.ask(() => this.#authority.take(rule, key, count), late);
  }

  debit(rule: RateRule, key: string, count: number): Promise<number> {
    return this.#guard.ask(() => this.#authority.debit(rule, key, count));
  }

  hold(rule: string, key: string, places: Wanted, max: number, late?: Late<Holding>): Promise<Holding> {
    return this.#guard.ask(() => this.#authority.hold(rule, key, places, max), late);
  }
}
