import { burstOf } from '../config/limit-lists.ts';
import type { Rate } from '../config/units.ts';
import { type LimitHit, perLabel } from '../limit-hit.ts';

/** The fields in which a refusal names the limit that was hit, and its kin (draft-ietf-httpapi-ratelimit-headers). Pure. */

/** One limit as these fields name it. */
export interface Policy {
  /** `upgrades-per-address`; a second one per the same has a number behind it. */
  readonly name: string;
  /** What RateLimit-Policy says of it. */
  readonly text: string;
}

interface RateLimit {
  readonly per: string;
  readonly rate: Rate;
  readonly burst?: number | undefined;
}

/** The policies of rates of one kind: so many (`q`) in so many seconds (`w`). */
export function ratePolicies(limit: LimitHit['limit'], limits: readonly RateLimit[]): Policy[] {
  return named(limit, limits, ({ rate, burst }) => {
    const quota = burstOf({ rate, burst });
    return `q=${quota};w=${Math.ceil((quota * rate.perMs) / rate.count / 1000)}`;
  });
}

/** The policies of places of one kind: so many at a time. */
export function placePolicies(
  limit: LimitHit['limit'],
  limits: readonly { readonly per: string; readonly max: number }[],
): Policy[] {
  return named(limit, limits, ({ max }) => `q=${max};qu="concurrent-requests"`);
}

function named<T extends { readonly per: string }>(
  limit: LimitHit['limit'],
  limits: readonly T[],
  quota: (limit: T) => string,
): Policy[] {
  const bases = limits.map(({ per }) => `${limit}-per-${perLabel({ limit, per })}`);
  return limits.map((each, index) => {
    const before = bases.slice(0, index).filter((base) => base === bases[index]).length;
    const name = before === 0 ? `${bases[index]}` : `${bases[index]}-${before + 1}`;
    return { name, text: `"${name}";${quota(each)}` };
  });
}

/** RateLimit-Policy names all of them; RateLimit says that nothing is left of one, for so many seconds where that is known. */
export function ratelimitFields(all: readonly Policy[], { name }: Policy, seconds?: number) {
  return {
    'ratelimit-policy': all.map(({ text }) => text).join(', '),
    ratelimit: `"${name}";r=0${seconds === undefined ? '' : `;t=${seconds}`}`,
  };
}
