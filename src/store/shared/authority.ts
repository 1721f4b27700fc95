import type { Rate } from '../../config/units.ts';

/**
 * Who keeps the counts that several processes share: a Redis, or the primary of a group of workers. Every call is one
 * message there and one back. Rejects where it does not answer; what it has done by then is unknown.
 */
export interface Authority {
  /** Takes `count` tokens if they are there: 0. Otherwise takes nothing, and answers the milliseconds until they will be. */
  take(rule: RateRule, key: string, count: number): Promise<number>;
  /** Takes `count` tokens even where they are not there yet. Milliseconds until they are there. */
  debit(rule: RateRule, key: string, count: number): Promise<number>;
  /**
   * This process holds so many places of a rule and key from now on, if together with those of the others they are no more
   * than `max`; none: it holds none any more. Said again it is the same, so that an answer that was lost does no harm.
   */
  hold(rule: string, key: string, held: number, max: number): Promise<Holding>;
}

/** A rule whose keys have a bucket each. Under another rate or burst it has another name. */
export interface RateRule {
  readonly name: string;
  readonly rate: Rate;
  readonly burst: number;
}

/** What has come of it. */
export interface Holding {
  readonly isGranted: boolean;
  /** Places that the others hold. */
  readonly others: number;
}
