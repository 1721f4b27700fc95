import { type GatewayRequest, isUpgrade } from '../http/request.ts';

/**
 * Whether nothing speaks for the sender of a request whose credentials browsers add to any page's requests, as they do
 * with cookies: then they add an Origin, too. Opening a page sends none and changes nothing (RFC 9110 §9.2.1); everything
 * else must say where it comes from.
 */
export function isForgeable(request: GatewayRequest): boolean {
  const isReading = !isUpgrade(request) && (request.method === 'GET' || request.method === 'HEAD');
  return request.origin === undefined && !isReading;
}
