import { Counter, type Registry } from 'prom-client';
import type { LimitObserver } from '../admission/limit-deps.ts';
import { perLabel } from '../limit-hit.ts';

/** Counts in a registry what the limits of routes do; each is there from the start, with a zero. */
export function createLimitMetrics(registry: Registry): LimitObserver {
  const limited = new Counter({
    name: 'sallyport_limited_total',
    help: 'Limits that clients have met, by outcome: throttled (once per wait), refused or closed.',
    labelNames: ['route', 'limit', 'per', 'outcome'],
    registers: [registry],
  });
  return {
    watch(route, hit, outcome) {
      const series = limited.labels({ route, limit: hit.limit, per: perLabel(hit), outcome });
      series.inc(0);
      return () => series.inc();
    },
  };
}
