import type { LimitsConfig } from '../config/schema.ts';
import { GatewayError } from '../errors.ts';
import { addressKey } from '../http/address.ts';
import { type GatewayRequest, isUpgrade } from '../http/request.ts';
import type { Buckets, Counters } from '../store/index.ts';
import type { Check, Grant } from './grant.ts';
import { normaliseOrigin } from './origin.ts';

export type UpgradesLimit = NonNullable<LimitsConfig['upgrades']>;
export type ConnectionsLimit = NonNullable<LimitsConfig['connections']>;

/** Whom a limit counts together. */
export type Per = UpgradesLimit['per'];

/** How many may come at once: what the limit says, or else as many as in one of its units of time. */
export function burstOf({ rate, burst }: Pick<UpgradesLimit, 'rate' | 'burst'>): number {
  return burst ?? rate.count;
}

/**
 * Takes one of the upgrades and plain requests allowed per time. `buckets` are those of this limit. Throws RATE_LIMITED
 * with Retry-After and RateLimit fields.
 */
export function limitUpgrades(limit: UpgradesLimit, buckets: Buckets): Check {
  const burst = burstOf(limit);
  const window = Math.ceil((burst * limit.rate.perMs) / limit.rate.count / 1000);
  const policy = `"upgrades";q=${burst};w=${window}`;
  return function upgrades(request, grant) {
    const wait = buckets.bucket(limitKey(limit.per, request, grant)).take();
    if (wait === 0) return;
    const seconds = String(Math.ceil(wait / 1000));
    // draft-ietf-httpapi-ratelimit-headers: `r` is what remains, `t` the seconds until there is more.
    throw new GatewayError('RATE_LIMITED', {
      detail: `upgrades per ${limit.per}`,
      headers: {
        'retry-after': seconds,
        'ratelimit-policy': policy,
        ratelimit: `"upgrades";r=0;t=${seconds}`,
      },
    });
  };
}

/**
 * Takes a place among the open WebSockets and adds its release to the grant; plain requests take none. Throws
 * TOO_MANY_CONNECTIONS.
 */
export function limitConnections(limit: ConnectionsLimit, counters: Counters): Check {
  return function connections(request, grant) {
    if (!isUpgrade(request)) return;
    const release = counters.acquire(limitKey(limit.per, request, grant), limit.max);
    if (!release) throw new GatewayError('TOO_MANY_CONNECTIONS', { detail: `connections per ${limit.per}` });
    grant.releases.push(release);
  };
}

/**
 * What a request is counted under. Requests without an origin, or without a subject, share one key. Origins have one
 * spelling and IPv6 addresses one key per /64, so that no client gets itself counted as many.
 */
export function limitKey(per: Per, request: GatewayRequest, grant: Grant): string {
  if (per === 'origin') return normaliseOrigin(request.origin ?? '') ?? '';
  if (per === 'address') return addressKey(request.clientAddress);
  if (per === 'subject') return grant.subject ?? '';
  return '';
}
