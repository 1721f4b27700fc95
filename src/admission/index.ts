import type { RouteConfig } from '../config/schema.ts';
import type { GatewayRequest } from '../http/request.ts';
import type { Store } from '../store/index.ts';
import { checkAddress } from './address.ts';
import { type AuthenticationDeps, createAuthentication } from './authentication.ts';
import { tokenExemption } from './cors.ts';
import type { Check, Grant } from './grant.ts';
import { checkHost } from './host.ts';
import { burstOf, limitConnections, limitUpgrades, type Per } from './limits.ts';
import { checkOrigin } from './origin.ts';
import { limitClientRequests, limitRouteRequests } from './requests.ts';

interface AdmissionDeps extends AuthenticationDeps {
  /** Remembers what the limits have counted. */
  readonly store: Store;
}

/**
 * Compiles what a route asks of its clients into checks, the cheap ones first: address, origin, limits, token, and last
 * the limits that count by the token's subject or everybody together. Preflights have no token, and no subject.
 */
export function createAdmission(route: RouteConfig, deps: AdmissionDeps): readonly Check[] {
  const limits = compileLimits(route, deps.store);
  const isExempt = tokenExemption(route.origins);
  const { name } = route;
  const { requests } = route.limits;
  return [
    checkHost(route.match.host),
    ...(route.addresses ? [checkAddress(route.addresses)] : []),
    checkOrigin(route.origins),
    limitClientRequests(requests, deps.store.counters(`${name}/requests/address`)),
    ...limits.filter(({ per }) => per !== 'subject').map(({ check }) => check),
    ...createAuthentication(route, deps),
    ...limits.filter(({ per }) => per === 'subject').map(({ check }) => except(isExempt, check)),
    // Last, so that only those who may come in can fill it.
    limitRouteRequests(requests, deps.store.counters(`${name}/requests/route`)),
  ];
}

function except(isExempt: (request: GatewayRequest) => boolean, check: Check): Check {
  return (request, grant) => (isExempt(request) ? undefined : check(request, grant));
}

function compileLimits({ name, limits }: RouteConfig, store: Store): { per: Per; check: Check }[] {
  const { upgrades, connections } = limits;
  const compiled: { per: Per; check: Check }[] = [];
  if (upgrades) {
    const { per, rate } = upgrades;
    const buckets = store.buckets(`${name}/upgrades/${per}`, rate, burstOf(upgrades));
    compiled.push({ per, check: limitUpgrades(upgrades, buckets) });
  }
  if (connections) {
    const { per } = connections;
    const counters = store.counters(`${name}/connections/${per}`);
    compiled.push({ per, check: limitConnections(connections, counters) });
  }
  return compiled;
}

/**
 * Runs the checks in order and returns `grant` with what they granted. Rejects with the GatewayError of the first that
 * refuses; what is reserved by then is given back. The caller gives back the rest with `release` when the connection ends.
 */
export async function admit(
  checks: readonly Check[],
  request: GatewayRequest,
  grant: Grant = { claims: {}, releases: [] },
): Promise<Grant> {
  try {
    for (const check of checks) {
      const pending = check(request, grant);
      if (pending) await pending;
    }
    return grant;
  } catch (error) {
    release(grant);
    throw error;
  }
}

/** Gives back what the checks reserved. Calling it twice is a no-op. */
export function release({ releases }: Pick<Grant, 'releases'>): void {
  for (const undo of releases.splice(0)) undo();
}
