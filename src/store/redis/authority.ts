import type { Authority, Holding, RateRule, Taken, Wanted } from '../shared/authority.ts';
import { list, whole } from './answers.ts';
import type { RedisLink } from './link.ts';
import type { Membership } from './membership.ts';
import { BUCKET, PLACES } from './scripts.ts';

/** Places are kept for so long after they were last spoken of. */
export const KEPT_MS = 3_600_000;

/** The counts in a Redis. */
export class RedisAuthority implements Authority {
  readonly #link: RedisLink;
  readonly #prefix: string;
  readonly #membership: Membership;

  constructor(link: RedisLink, prefix: string, membership: Membership) {
    this.#link = link;
    this.#prefix = prefix;
    this.#membership = membership;
  }

  async take(rule: RateRule, key: string, count: number): Promise<Taken> {
    const [taken, wait] = await this.#spend(rule, key, count, 1);
    return { count: whole(taken, 0, count), wait: whole(wait) };
  }

  async debit(rule: RateRule, key: string, count: number): Promise<number> {
    const [, wait] = await this.#spend(rule, key, count, 0);
    return whole(wait);
  }

  async hold(rule: string, key: string, { held, wanted }: Wanted, max: number): Promise<Holding> {
    const { name, living } = this.#membership;
    if (name === undefined) throw new Error('Redis has not been heard yet');
    const most = max === Infinity ? -1 : max;
    const { readAt, names } = living;
    const place = `${this.#prefix}:places:${rule} ${key}`;
    const answer = await this.#link.run(PLACES, place, name, held, wanted, most, KEPT_MS, readAt, ...names);
    const [granted, others] = list(answer);
    return { held: whole(granted, held, wanted), others: whole(others) };
  }

  /** What was taken, and the milliseconds to wait. */
  async #spend(
    { name, rate, burst }: RateRule,
    key: string,
    count: number,
    isStrict: 0 | 1,
  ): Promise<readonly unknown[]> {
    const bucket = `${this.#prefix}:bucket:${name} ${key}`;
    const perMs = rate.count / rate.perMs;
    return list(await this.#link.run(BUCKET, bucket, perMs, burst, count, isStrict));
  }
}
