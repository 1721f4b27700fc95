import { Counter, type Registry } from 'prom-client';
import type { ErrorCode, GatewayError } from '../errors.ts';
import type { RefusedRequest, ServedRecord, SessionRecord } from './index.ts';
import type { RouteSeries } from './series.ts';

export interface RequestMetrics {
  opened(session: Pick<SessionRecord, 'route'>): void;
  refused(request: Pick<RefusedRequest, 'kind' | 'route'>, error: GatewayError): void;
  served(request: unknown, served: Pick<ServedRecord, 'route' | 'status'>): void;
}

/** The likeliest of some forty, and all that an alert asks for: each is a series for every route. */
const LIKELY: readonly ErrorCode[] = [
  'ORIGIN_REFUSED',
  'TOKEN_MISSING',
  'TOKEN_INVALID',
  'TOKEN_EXPIRED',
  'FORBIDDEN',
  'RATE_LIMITED',
  'TOO_MANY_CONNECTIONS',
  'KEYS_UNAVAILABLE',
  'AUTH_UNAVAILABLE',
  'UPSTREAM_REFUSED',
  'UPSTREAM_TIMEOUT',
  'NO_HEALTHY_UPSTREAM',
  'INTERNAL',
];
/** Before a route is found. */
const LIKELY_WITHOUT_ROUTE: readonly ErrorCode[] = ['BAD_REQUEST', 'NO_ROUTE'];
const LIKELY_STATUS = ['2xx', '3xx', '4xx', '5xx'];
/** They send nobody elsewhere. */
const ENDPOINT_STATUS = LIKELY_STATUS.filter((status) => status !== '3xx');

/** Counts in a registry how upgrades and plain requests are answered. `paths` are of what the gateway answers itself. */
export function createRequestMetrics(
  registry: Registry,
  series: readonly RouteSeries[],
  paths: readonly string[],
): RequestMetrics {
  const upgrades = countUpgrades(registry, series);
  const requests = countRequests(registry, series, paths);
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

/** `route` is empty on what was refused before a route was found. */
function countUpgrades(registry: Registry, series: readonly RouteSeries[]): Counter<'route' | 'outcome'> {
  const upgrades = new Counter({
    name: 'sallyport_upgrades_total',
    help: 'Upgrade requests, by outcome: accepted, or the code of the refusal.',
    labelNames: ['route', 'outcome'],
    registers: [registry],
  });
  for (const outcome of LIKELY_WITHOUT_ROUTE) upgrades.inc({ route: '', outcome }, 0);
  for (const { route, bridge } of series) {
    const outcomes = bridge === undefined ? [] : ['accepted', ...LIKELY];
    for (const outcome of outcomes) upgrades.inc({ route, outcome }, 0);
  }
  return upgrades;
}

function countRequests(
  registry: Registry,
  series: readonly RouteSeries[],
  paths: readonly string[],
): Counter<'route' | 'status'> {
  const requests = new Counter({
    name: 'sallyport_requests_total',
    help: 'Plain HTTP requests, by class of status; the route of what the gateway answers itself is its path.',
    labelNames: ['route', 'status'],
    registers: [registry],
  });
  requests.inc({ route: '', status: '4xx' }, 0);
  for (const route of paths) for (const status of ENDPOINT_STATUS) requests.inc({ route, status }, 0);
  for (const { route, servesRequests } of series) {
    // A page opened where only WebSockets are served is refused, too.
    const statuses = servesRequests ? LIKELY_STATUS : ['4xx'];
    for (const status of statuses) requests.inc({ route, status }, 0);
  }
  return requests;
}

function statusLabel(status: number): string {
  return `${Math.trunc(status / 100)}xx`;
}
