import type { LimitsConfig } from '../config/schema.ts';
import { type ErrorCode, GatewayError } from '../errors.ts';
import { addressKey } from '../http/address.ts';
import { type GatewayRequest, isUpgrade } from '../http/request.ts';
import type { Counters } from '../store/index.ts';
import type { Check } from './grant.ts';

export type RequestsLimit = LimitsConfig['requests'];

/** Takes a place of the client's own share of the route's plain requests. Throws TOO_MANY_REQUESTS; upgrades pass. */
export function limitClientRequests({ perClient }: RequestsLimit, counters: Counters): Check {
  return takePlace(counters, perClient, 'TOO_MANY_REQUESTS', ({ clientAddress }) =>
    addressKey(clientAddress),
  );
}

/** Takes one of the places that all plain requests of the route share. Throws ROUTE_FULL; upgrades pass. */
export function limitRouteRequests({ max }: RequestsLimit, counters: Counters): Check {
  return takePlace(counters, max, 'ROUTE_FULL', () => '');
}

function takePlace(
  counters: Counters,
  max: number,
  refusal: ErrorCode,
  keyOf: (request: GatewayRequest) => string,
): Check {
  return function requests(request, grant) {
    if (isUpgrade(request)) return;
    const release = counters.acquire(keyOf(request), max);
    if (!release) throw new GatewayError(refusal);
    grant.releases.push(release);
  };
}
