import { Counter, type Registry } from 'prom-client';
import type { GoodbyeObserver, GoodbyeOutcome } from '../bridge/poll/goodbyes.ts';
import type { RouteSeries } from './series.ts';

const OUTCOMES: readonly GoodbyeOutcome[] = ['told', 'failed', 'dropped'];

/** Counts in a registry how HTTP services were told of the ends of their sessions. */
export function createGoodbyeMetrics(registry: Registry, series: readonly RouteSeries[]): GoodbyeObserver {
  const goodbyes = new Counter({
    name: 'sallyport_goodbyes_total',
    help: 'Requests that tell an HTTP service of the end of a session, by outcome: told, failed or dropped.',
    labelNames: ['route', 'outcome'],
    registers: [registry],
  });
  for (const { route, bridge } of series) {
    if (bridge !== 'poll' && bridge !== 'post') continue;
    for (const outcome of OUTCOMES) goodbyes.inc({ route, outcome }, 0);
  }
  return { said: (route, outcome) => goodbyes.inc({ route, outcome }) };
}
