import type { RouteConfig } from '../config/schema.ts';
import type { GatewayRequest } from '../http/request.ts';
import { checkAddress } from './address.ts';
import { type AuthenticationDeps, createAuthentication } from './authentication.ts';
import type { Check, Grant } from './grant.ts';
import { checkHost } from './host.ts';
import type { LimitDeps } from './limit-deps.ts';
import { createLimits } from './limits.ts';
import { checkOrigin } from './origin.ts';

export interface AdmissionDeps extends AuthenticationDeps, LimitDeps {}

/**
 * Compiles what a route asks of its clients into checks, the cheap ones first: address, origin, limits by address, proofs,
 * and last the limits by what is proven or shared, which only those can spend who may come in.
 */
export function createAdmission(route: RouteConfig, deps: AdmissionDeps): readonly Check[] {
  const limits = createLimits(route, deps);
  return [
    checkHost(route),
    ...(route.addresses ? [checkAddress(route.addresses)] : []),
    checkOrigin(route.origins),
    ...limits.own,
    ...createAuthentication(route, deps),
    ...limits.shared,
  ];
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
