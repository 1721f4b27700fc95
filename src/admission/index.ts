import type { RouteConfig } from '../config/schema.ts';
import type { GatewayRequest } from '../http/request.ts';
import { BucketTable, type Clock } from '../store/buckets.ts';
import { CounterTable } from '../store/counters.ts';
import { checkAddress } from './address.ts';
import type { Check, Grant } from './grant.ts';
import { burstOf, limitConnections, limitUpgrades, type Per } from './limits.ts';
import { checkOrigin } from './origin.ts';
import { checkToken } from './token/index.ts';
import type { TokenVerifier } from './token/verifier.ts';

interface AdmissionDeps {
  /** By the names of `issuers`. */
  readonly verifiers: ReadonlyMap<string, TokenVerifier>;
  /** Clock of the limits; `performance.now` unless a test brings its own. */
  readonly now?: Clock;
}

/**
 * Compiles what a route asks of its clients into checks, the cheap ones first: address, origin, limits, token, and last
 * the limits that count by the token's subject. The route's counts live as long as these checks.
 */
export function createAdmission(route: RouteConfig, deps: AdmissionDeps): readonly Check[] {
  const limits = compileLimits(route, deps.now);
  return [
    ...(route.addresses ? [checkAddress(route.addresses)] : []),
    checkOrigin(route.origins),
    ...limits.filter(({ per }) => per !== 'subject').map(({ check }) => check),
    ...(route.auth === 'none' ? [] : [checkToken(route.auth, deps.verifiers)]),
    ...limits.filter(({ per }) => per === 'subject').map(({ check }) => check),
  ];
}

function compileLimits({ limits }: RouteConfig, now: Clock | undefined): { per: Per; check: Check }[] {
  const { upgrades, connections } = limits;
  const compiled: { per: Per; check: Check }[] = [];
  if (upgrades) {
    const table = new BucketTable(upgrades.rate, burstOf(upgrades), { now });
    compiled.push({ per: upgrades.per, check: limitUpgrades(upgrades, table) });
  }
  if (connections) {
    compiled.push({ per: connections.per, check: limitConnections(connections, new CounterTable()) });
  }
  return compiled;
}

/**
 * Runs the checks in order and returns what they granted. Rejects with the GatewayError of the first that refuses; what
 * the ones before it reserved is given back. The caller gives back the rest with `release` when the connection ends.
 */
export async function admit(checks: readonly Check[], request: GatewayRequest): Promise<Grant> {
  const grant: Grant = { claims: {}, releases: [] };
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
