import type { Rate } from '../config/units.ts';
import type { TokenBucket } from './buckets.ts';

/**
 * What limits remember. It is handed to the routes, not made by them: counts are kept under the route's name and the rule
 * they belong to (`chat/upgrades/address`; a route's name has no slash), so that a route that is compiled anew finds them again.
 */
export interface Store {
  /** The buckets of a rule. Under another rate or burst it is another rule, and starts with full ones. */
  buckets(rule: string, rate: Rate, burst: number): Buckets;
  /** The places of a rule. How many there are is said with each one taken, so that a new number keeps the count. */
  counters(rule: string): Counters;
}

/** A token bucket per key, local and synchronous: one may be asked with every message. */
export interface Buckets {
  /** The bucket of a key: full if it is new or forgotten. Ask for it at every use instead of keeping it. */
  bucket(key: string): TokenBucket;
}

/** Places taken per key. */
export interface Counters {
  /** Takes one of `max` places and returns its undo, which may be called twice; undefined if all are taken. */
  acquire(key: string, max: number): (() => void) | undefined;
}
