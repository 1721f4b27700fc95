import { Counter, type Registry } from 'prom-client';
import type { Observer } from './index.ts';

/** Counts in a registry how upgrades and plain requests are answered. */
export function createRequestMetrics(registry: Registry): Omit<Observer, 'ended'> {
  // `route` is empty on what was refused before a route was found.
  const upgrades = new Counter({
    name: 'sallyport_upgrades_total',
    help: 'Upgrade requests, by outcome: accepted, or the code of the refusal.',
    labelNames: ['route', 'outcome'],
    registers: [registry],
  });
  const requests = new Counter({
    name: 'sallyport_requests_total',
    help: 'Plain HTTP requests, by class of status.',
    labelNames: ['route', 'status'],
    registers: [registry],
  });
  return {
    opened({ route }) {
      upgrades.inc({ route, outcome: 'accepted' });
    },
    refused({ kind, route = '' }, error) {
      if (kind === 'upgrade') upgrades.inc({ route, outcome: error.code });
      else requests.inc({ route, status: statusLabel(error.status) });
    },
    served(_request, { route, status }) {
      requests.inc({ route, status: statusLabel(status) });
    },
  };
}

function statusLabel(status: number): string {
  return `${Math.trunc(status / 100)}xx`;
}
