import type { RouteConfig } from '../config/schema.ts';
import { GatewayError } from '../errors.ts';
import { isLoopback } from '../http/address.ts';
import type { Check } from './grant.ts';
import { hostRule } from './origin.ts';

/**
 * On a plain-text listener that only this machine reaches, refuses names that are none of this machine: a page can let its
 * own name point here (DNS rebinding), and passes for a page of this host then. Meant are names that the route matches and
 * those of its `origins`, and a trusted proxy on this machine asks for names of its own. Throws MISDIRECTED.
 */
export function checkHost({ match, origins = [] }: Pick<RouteConfig, 'match' | 'origins'>): Check {
  const isOfOrigin = hostRule(origins);
  return function host(request) {
    if (!request.isLocal || request.isPeerTrusted || match.host !== undefined) return;
    if (isLoopback(request.host) || isOfOrigin(request.host)) return;
    const remedy = 'name it in match.host or origins, or its proxy in trustedProxies';
    throw new GatewayError('MISDIRECTED', {
      detail: `${request.host} is no name of this machine: ${remedy}`,
    });
  };
}
