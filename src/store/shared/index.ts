import type { Rate } from '../../config/units.ts';
import type { Store } from '../index.ts';
import { WeakValues } from '../weak-values.ts';
import type { RateRule } from './authority.ts';
import { SharedPlaces } from './places.ts';
import { SharedBuckets, type SharedDeps, SharedRates } from './rates.ts';

export interface SharedStore extends Store {
  /** Says again what may not have been heard of what this process holds. Never rejects. */
  repeat(): Promise<void>;
  /** Says again what this process holds: to those who may have lost it, or have taken it for dead. Never rejects. */
  restate(): Promise<void>;
}

/** A store whose counts are those of all processes that ask the same authority. It holds a rule for as long as a route does. */
export function createSharedStore(deps: SharedDeps): SharedStore {
  const rates = new WeakValues<SharedRates>();
  const buckets = new WeakValues<SharedBuckets>();
  const places = new WeakValues<SharedPlaces>();
  return {
    rates(name, rate, burst) {
      const rule = ruleOf(name, rate, burst);
      return rates.get(rule.name, () => new SharedRates(rule, deps));
    },
    buckets(name, rate, burst) {
      const rule = ruleOf(name, rate, burst);
      return buckets.get(rule.name, () => new SharedBuckets(rule, deps));
    },
    places: (rule) => places.get(rule, () => new SharedPlaces(rule, deps)),
    async repeat() {
      for (const each of places) await each.repeat();
    },
    async restate() {
      for (const each of places) await each.restate();
    },
  };
}

function ruleOf(rule: string, rate: Rate, burst: number): RateRule {
  return { name: `${rule} ${rate.count}/${rate.perMs} ${burst}`, rate, burst };
}
