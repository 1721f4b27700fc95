import type { Rate } from '../config/units.ts';
import { BucketTable, type Clock } from './buckets.ts';
import { CounterTable } from './counters.ts';
import type { Store } from './index.ts';
import { WeakValues } from './weak-values.ts';

interface MemoryStoreOptions {
  /** `performance.now` unless a test brings its own. */
  readonly now?: Clock;
}

/** A store in this process's memory. It holds a rule for as long as a route does: what no route uses any more is gone. */
export function createMemoryStore({ now }: MemoryStoreOptions = {}) {
  const buckets = new WeakValues<BucketTable>();
  const places = new WeakValues<CounterTable>();
  function table(rule: string, rate: Rate, burst: number): BucketTable {
    const key = `${rule} ${rate.count}/${rate.perMs} ${burst}`;
    return buckets.get(key, () => new BucketTable(rate, burst, { now }));
  }

  return {
    rates: table,
    buckets: table,
    places: (rule) => places.get(rule, () => new CounterTable()),
  } satisfies Store;
}
