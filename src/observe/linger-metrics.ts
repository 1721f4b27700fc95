import { Counter, Gauge, type Registry } from 'prom-client';
import { LINGER_OUTCOMES, type LingerObserver } from '../bridge/parking.ts';

/** Counts in a registry what becomes of sessions whose clients are lost; `routes` are those where they linger. */
export function createLingerMetrics(registry: Registry, routes: readonly string[]): LingerObserver {
  const registers = [registry];
  const waiting = new Gauge({
    name: 'sallyport_lingering_sessions',
    help: 'Sessions that wait for a lost client to come back.',
    labelNames: ['route'],
    registers,
  });
  const outcomes = new Counter({
    name: 'sallyport_resumed_total',
    help: 'What became of sessions whose clients were lost: resumed, taken_over, expired, ended, full (no place to wait in); gone: a client came back in vain.',
    labelNames: ['route', 'outcome'],
    registers,
  });
  for (const route of routes) {
    waiting.set({ route }, 0);
    for (const outcome of LINGER_OUTCOMES) outcomes.inc({ route, outcome }, 0);
  }
  return {
    waits: (route, change) => waiting.inc({ route }, change),
    became: (route, outcome) => outcomes.inc({ route, outcome }),
  };
}
