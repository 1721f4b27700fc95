import { Histogram, type Registry } from 'prom-client';
import { PHASES, type PhaseTimes } from './phases.ts';
import type { RouteSeries } from './series.ts';

/** A token that is known takes microseconds, one that asks another service milliseconds, a dial up to `timeouts.handshake`. */
const SECONDS = [0.0001, 0.0005, 0.0025, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

export interface HandshakeMetrics {
  add(route: string, phases: PhaseTimes): void;
}

/** Counts in a registry how long handshakes take, refused ones too. */
export function createHandshakeMetrics(registry: Registry, series: readonly RouteSeries[]): HandshakeMetrics {
  const seconds = new Histogram({
    name: 'sallyport_handshake_seconds',
    help: 'How long each phase of an upgrade took, refused ones too: parse (and route), admit, message (until the first one has come, where that holds the token), dial (until the upstream is ready).',
    labelNames: ['route', 'phase'],
    buckets: SECONDS,
    registers: [registry],
  });
  for (const { route, bridge } of series)
    if (bridge !== undefined) for (const phase of PHASES) seconds.zero({ route, phase });
  return {
    add(route, phases) {
      for (const phase of PHASES) {
        const ms = phases[phase];
        if (ms !== undefined) seconds.observe({ route, phase }, ms / 1000);
      }
    },
  };
}
