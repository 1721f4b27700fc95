import type { BalanceConfig } from '../../config/pool.ts';
import { hashBy } from './hash.ts';
import { leastConnections } from './least-connections.ts';
import type { Policy } from './policy.ts';
import { roundRobin } from './round-robin.ts';

/** The policies that have no options, by their name in the configuration. */
const PLAIN: Readonly<Record<Extract<BalanceConfig, string>, () => Policy>> = {
  'least-connections': leastConnections,
  'round-robin': roundRobin,
};

/** Makes the policy that the configuration names, with a memory of its own. */
export function createPolicy(balance: BalanceConfig): Policy {
  return typeof balance === 'string' ? PLAIN[balance]() : hashBy(balance.hash);
}
