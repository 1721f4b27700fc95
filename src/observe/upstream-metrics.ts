import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { DialObserver, EndpointRecord } from '../upstream/context.ts';
import type { RouteSeries } from './series.ts';

/** Dials take from one turn of the loop next door to the whole of `timeouts.handshake`. */
const DIAL_SECONDS = [0.001, 0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** There for every target from the start. */
const LIKELY = ['connected', 'UPSTREAM_REFUSED', 'UPSTREAM_TIMEOUT'];

export interface UpstreamMetrics extends Omit<DialObserver, 'healthChanged'> {
  /** Brings the registry up to date, right before it is read. */
  takeStock(): void;
}

/** Counts in a registry how dials go, and how the endpoints do that `endpoints` lists. */
export function createUpstreamMetrics(
  registry: Registry,
  endpoints: () => Iterable<EndpointRecord>,
  series: readonly RouteSeries[],
): UpstreamMetrics {
  const { live, healthy, dials, dialSeconds } = createMeters(registry);
  /** All that dials have come to: a closed set. */
  const outcomes = new Set<string>(LIKELY);
  for (const { route } of series) dialSeconds.zero({ route });
  return {
    dialled({ route, name }, outcome, durationMs) {
      dials.inc({ route, target: name, outcome });
      outcomes.add(outcome);
      if (outcome === 'connected') dialSeconds.observe({ route }, durationMs / 1000);
    },
    forgotten({ route, name }) {
      for (const outcome of outcomes) dials.remove({ route, target: name, outcome });
    },
    takeStock() {
      live.reset();
      healthy.reset();
      for (const endpoint of endpoints()) {
        const labels = { route: endpoint.route, target: endpoint.name };
        live.set(labels, endpoint.live);
        const isWell = endpoint.isWell?.(performance.now());
        if (isWell !== undefined) healthy.set(labels, isWell ? 1 : 0);
        for (const outcome of LIKELY) dials.inc({ ...labels, outcome }, 0);
      }
    },
  };
}

function createMeters(registry: Registry) {
  const registers = [registry];
  return {
    live: new Gauge({
      name: 'sallyport_upstream_sessions',
      help: 'Sessions and requests that lead to each target now, dials under way among them.',
      labelNames: ['route', 'target'],
      registers,
    }),
    healthy: new Gauge({
      name: 'sallyport_upstream_healthy',
      help: '1: the target gets its share; 0: its dials or checks fail, and others are tried first. None for a rule of allow.',
      labelNames: ['route', 'target'],
      registers,
    }),
    dials: new Counter({
      name: 'sallyport_upstream_dials_total',
      help: 'Dials, by outcome: connected, the code of the failure, outpaced by another address, or abandoned by the client.',
      labelNames: ['route', 'target', 'outcome'],
      registers,
    }),
    dialSeconds: new Histogram({
      name: 'sallyport_upstream_dial_seconds',
      help: 'How long dials took that worked, the handshake with the upstream included.',
      labelNames: ['route'],
      buckets: DIAL_SECONDS,
      registers,
    }),
  };
}
