import { GatewayError } from '../errors.ts';
import { isLoopback } from '../http/address.ts';
import type { Check } from './grant.ts';

/**
 * On a plain-text listener that only this machine reaches, refuses names that are none of this machine: a page can let its
 * own name point here (DNS rebinding), and passes for a page of this host then. A name that the route matches is meant, and
 * a trusted proxy on this machine asks for names of its own. Throws MISDIRECTED.
 */
export function checkHost(named: string | undefined): Check {
  return function host(request) {
    if (!request.isLocal || request.isPeerTrusted || named !== undefined) return;
    if (isLoopback(request.host)) return;
    const remedy = `name it in match.host, or its proxy in trustedProxies`;
    throw new GatewayError('MISDIRECTED', {
      detail: `${request.host} is no name of this machine: ${remedy}`,
    });
  };
}
