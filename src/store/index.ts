import type { Rate } from '../config/units.ts';

/**
 * What limits remember. It is handed to the routes, not made by them: counts are kept under the route's name and the rule
 * they belong to (`chat/upgrades/address`; a route's name has no slash), so that a route that is compiled anew finds them
 * again. Whether they are this process's alone or shared with others is the store's business: what is asked once a
 * handshake may be answered later, what is asked with every message is answered at once.
 */
export interface Store {
  /** How many a rule lets in per time. Under another rate or burst it is another rule, and starts with full buckets. */
  rates(rule: string, rate: Rate, burst: number): Rates;
  /** The buckets of a rule that is asked with every message. */
  buckets(rule: string, rate: Rate, burst: number): Buckets;
  /** The places of a rule. How many there are is said with each one taken, so that a new number keeps the count. */
  places(rule: string): Places;
}

/** What one handshake costs, per key. */
export interface Rates {
  /** Takes one. 0: taken; otherwise nothing is taken, and the answer is the milliseconds until one will be there. */
  take(key: string): number | Promise<number>;
}

/** A bucket per key. */
export interface Buckets {
  /** The bucket of a key: full if it is new or forgotten. Ask for it at every use instead of keeping it. */
  bucket(key: string): Bucket;
}

/**
 * What a connection may still send, with all that are counted with it. Synchronous: it is asked with every message. Waits are
 * milliseconds; below 0 it is not known yet how long it will be, and will be in so many.
 */
export interface Bucket {
  /** Takes `count` if they are there: 0. Otherwise nothing is taken, and the answer is the wait until they will be. */
  take(count: number, now: number): number;
  /** Takes `count` even where they are not there yet, and answers the wait until they are. */
  debit(count: number, now: number): number;
  /** Puts back what was taken for nothing. */
  giveBack(count: number): void;
  /** All that was ever debited: who has to wait remembers it as its turn. */
  readonly taken: number;
  /** The wait until all that was debited up to this turn is there. Asked when the one that `debit` told is over. */
  msUntil(turn: number, now: number): number;
}

/** Undo of a place that was taken; again is a no-op. */
export type Release = () => void;

/** Places taken per key. */
export interface Places {
  /** Takes one of `max` places; undefined if all are taken. */
  acquire(key: string, max: number): Release | undefined | Promise<Release | undefined>;
}
