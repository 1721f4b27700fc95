import { burstOf } from '../config/limit-lists.ts';
import type { LimitsConfig } from '../config/schema.ts';
import { GatewayError } from '../errors.ts';
import type { Check } from './grant.ts';
import { type LimitDeps, unheard } from './limit-deps.ts';
import { compileKey } from './limit-keys.ts';
import { type Policy, ratelimitFields, ratePolicies } from './ratelimit-fields.ts';

export type UpgradesLimit = NonNullable<LimitsConfig['upgrades']>[number];

/**
 * Compiles limits of the upgrades and plain requests that a route lets in per time, one check each. They throw
 * RATE_LIMITED with Retry-After and RateLimit fields; what they have taken is not given back.
 */
export function limitUpgrades(route: string, limits: readonly UpgradesLimit[], deps: LimitDeps): Check[] {
  const policies = ratePolicies('upgrades', limits);
  return limits.map((limit, index) => limitRate(route, limit, deps, [policies[index] as Policy, policies]));
}

function limitRate(
  route: string,
  limit: UpgradesLimit,
  { store, limits: observer = unheard, ipv6Prefix }: LimitDeps,
  [policy, all]: readonly [Policy, readonly Policy[]],
): Check {
  const { per, rate } = limit;
  const hit = { limit: 'upgrades', per } as const;
  const rates = store.rates(`${route}/upgrades/${per}`, rate, burstOf(limit));
  const keyOf = compileKey(per, ipv6Prefix);
  const onRefused = observer.watch(route, hit, 'refused');
  function judge(wait: number): void {
    if (wait === 0) return;
    onRefused();
    const seconds = Math.ceil(wait / 1000);
    const headers = { 'retry-after': String(seconds), ...ratelimitFields(all, policy, seconds) };
    throw new GatewayError('RATE_LIMITED', { limit: hit, headers });
  }

  return function upgrades(request, grant) {
    const wait = rates.take(keyOf(request, grant));
    return typeof wait === 'number' ? judge(wait) : wait.then(judge);
  };
}
