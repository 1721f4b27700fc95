import type { Rate } from '../../config/units.ts';

/** Hears an answer that came after the rejection: too late for who asked, and yet so it stands. */
export type Late<T> = (answer: T) => void;

/**
 * Who keeps the counts that several processes share, such as a Redis. Every call is one
 * message there and one back. Rejects where it does not answer; what it has done by then is unknown.
 */
export interface Authority {
  /** Takes as many of `count` tokens as there are. */
  take(rule: RateRule, key: string, count: number, late?: Late<Taken>): Promise<Taken>;
  /** Takes `count` tokens even where they are not there yet: the milliseconds until they are. */
  debit(rule: RateRule, key: string, count: number): Promise<number>;
  /**
   * From now on this process holds the places of a rule and key that it says it holds, and as many of those it wants besides
   * as there are of `max`. Said again it is the same, so that an answer that was lost does no harm.
   */
  hold(rule: string, key: string, places: Wanted, max: number, late?: Late<Holding>): Promise<Holding>;
}

/** A rule whose keys have a bucket each. Under another rate or burst it has another name. */
export interface RateRule {
  readonly name: string;
  readonly rate: Rate;
  readonly burst: number;
}

export interface Taken {
  readonly count: number;
  /** Milliseconds until there is one more; 0 where all that were asked for were there. */
  readonly wait: number;
}

/** Places of one process. */
export interface Wanted {
  readonly held: number;
  /** All in all. */
  readonly wanted: number;
}

export interface Holding {
  /** By this process, from now on. */
  readonly held: number;
  /** By the others. */
  readonly others: number;
}
