import type { RequestsLimit } from '../config/request-limits.ts';
import type { LimitsConfig } from '../config/schema.ts';
import { type ErrorCode, GatewayError } from '../errors.ts';
import { type GatewayRequest, isUpgrade } from '../http/request.ts';
import type { LimitHit } from '../limit-hit.ts';
import type { Release } from '../store/index.ts';
import type { Check, Grant } from './grant.ts';
import { type LimitDeps, unheard } from './limit-deps.ts';
import { compileKey } from './limit-keys.ts';
import { type Policy, placePolicies, ratelimitFields } from './ratelimit-fields.ts';

/** Limits of places, which are taken when a request is let in and given back when it is through, or refused after all. */

export type ConnectionsLimit = NonNullable<LimitsConfig['connections']>[number];

/** What kind of place is meant: who takes one, and what they are told if there is none. */
interface Kind {
  readonly limit: LimitHit['limit'];
  readonly takesOne: (request: GatewayRequest) => boolean;
  readonly refusal: (per: string) => ErrorCode;
  /** A client comes back to what has kept its first place: it is counted beside that, by the same limit. */
  readonly comesBack?: (request: GatewayRequest) => boolean;
}

const CONNECTIONS: Kind = {
  limit: 'connections',
  takesOne: isUpgrade,
  refusal: () => 'TOO_MANY_CONNECTIONS',
};

const REQUESTS: Kind = {
  limit: 'requests',
  takesOne: (request) => !isUpgrade(request),
  // No client can help it that the others fill the route.
  refusal: (per) => (per === 'route' ? 'ROUTE_FULL' : 'TOO_MANY_REQUESTS'),
};

/**
 * Compiles limits of the open WebSockets of a route, one check each. They throw TOO_MANY_CONNECTIONS; plain requests pass. Those
 * that `comesBack` is true of have a place already, and take another one only among themselves.
 */
export function limitConnections(
  route: string,
  limits: readonly ConnectionsLimit[],
  deps: LimitDeps,
  comesBack?: (request: GatewayRequest) => boolean,
): Check[] {
  return limitPlaces({ ...CONNECTIONS, ...(comesBack && { comesBack }) }, route, limits, deps);
}

/** Compiles limits of the plain requests under way, one check each. They throw TOO_MANY_REQUESTS or ROUTE_FULL; upgrades pass. */
export function limitRequests(route: string, limits: readonly RequestsLimit[], deps: LimitDeps): Check[] {
  return limitPlaces(REQUESTS, route, limits, deps);
}

function limitPlaces(
  kind: Kind,
  route: string,
  limits: readonly (ConnectionsLimit | RequestsLimit)[],
  { store, limits: observer = unheard, ipv6Prefix }: LimitDeps,
): Check[] {
  const policies = placePolicies(kind.limit, limits);
  return limits.map(({ max, per }, index) => {
    const hit = { limit: kind.limit, per };
    const first = store.places(`${route}/${kind.limit}/${per}`);
    const again = store.places(`${route}/${kind.limit}/${per}/again`);
    const keyOf = compileKey(per, ipv6Prefix);
    const onRefused = observer.watch(route, hit, 'refused');
    const headers = ratelimitFields(policies, policies[index] as Policy);
    function keep(release: Release | undefined, { releases }: Grant): void {
      if (release === undefined) {
        onRefused();
        throw new GatewayError(kind.refusal(per), { limit: hit, headers });
      }
      releases.push(release);
    }

    return function place(request, grant) {
      if (!kind.takesOne(request)) return undefined;
      const places = kind.comesBack?.(request) ? again : first;
      const release = places.acquire(keyOf(request, grant), max);
      if (release instanceof Promise) return release.then((later) => keep(later, grant));
      return keep(release, grant);
    };
  });
}
