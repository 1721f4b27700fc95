import { z } from 'zod';
import type { Rate } from './units.ts';

/** The part of the language that limits have in common: whom they count together, and several of one kind in a list. */

/** Whom a limit counts together. */
export type CountedPer = 'origin' | 'address' | 'subject' | 'route' | `claim:${string}`;
export type MeteredPer = CountedPer | 'connection';

const COUNTED = ['origin', 'address', 'subject', 'claim:NAME', 'route'];
const METERED = ['connection', ...COUNTED];

/** Told where `connection` is no key to count by. */
const ONE_BY_ITSELF =
  'connection is for messages and bytes: an upgrade, a request or an open WebSocket is one by itself';

/** The name of a claim, or a JSON Pointer to one. */
const CLAIM = 'a claim like claim:tenant or claim:/org/id';

const MEANING =
  'So much for each: client address, subject, value of a claim (claim:/a/b is b within a), entry of `origins` that let the page in, or the route as a whole. Who has no subject, claim or Origin is counted with all others without';

export const countedPer = per<CountedPer>(COUNTED, MEANING);
export const meteredPer = per<MeteredPer>(METERED, MEANING.replace('each: ', 'each: connection, '));

function per<T extends string>(names: readonly string[], meaning: string) {
  const expected = `expected one of ${names.join(', ')}`;
  const fixed = names.filter((name) => !name.includes(':'));
  const anyOf = [
    { type: 'string', enum: fixed },
    { type: 'string', pattern: '^claim:.|\\$\\{', form: CLAIM },
  ];
  return z
    .string(expected)
    .transform((text, context): T => {
      if (fixed.includes(text) || /^claim:./.test(text)) return text as T;
      const message = text === 'connection' ? ONE_BY_ITSELF : expected;
      context.addIssue({ code: 'custom', message, params: { values: names } });
      return z.NEVER;
    })
    .meta({ description: meaning, anyOf });
}

/** A limit whose `per` is the same as another's. */
interface Counting {
  readonly per: string;
}

/** Whether all that passes `strict` passes `loose` too, which has no effect then. Both count per the same. */
export type IsStricter<T> = (strict: T, loose: T) => boolean;

interface RateLimit extends Counting {
  readonly rate: Rate;
  readonly burst?: number | undefined;
  readonly over?: 'throttle' | 'close';
}

/** Rates: a second one of the same clients makes sense if it allows more at once and less in the long run, or the other way round. */
export function isStricterRate(strict: RateLimit, loose: RateLimit): boolean {
  const isSlower = strict.rate.count * loose.rate.perMs <= loose.rate.count * strict.rate.perMs;
  return isSlower && burstOf(strict) <= burstOf(loose);
}

/** Bytes are counted when they have come: who is only throttled by one limit may still go beyond another. */
export function isStricterByteRate(strict: RateLimit, loose: RateLimit): boolean {
  return isStricterRate(strict, loose) && !(strict.over === 'throttle' && loose.over === 'close');
}

/** Places at a time. */
export function isStricterMax(strict: { readonly max: number }, loose: { readonly max: number }): boolean {
  return strict.max <= loose.max;
}

/** How many may come at once: what the limit says, or else as many as in one of its units of time. */
export function burstOf({ rate, burst }: Pick<RateLimit, 'rate' | 'burst'>): number {
  return burst ?? rate.count;
}

/** One limit or a list of them, always read as a list; none in it may be one that has no effect. */
export function limitList<T extends z.ZodType<Counting>>(item: T, isStricter: IsStricter<z.output<T>>) {
  const several = z
    .array(item)
    .min(1)
    .superRefine((limits, context) => refuseUnmet(limits, isStricter, context));
  return z.union([item, several]).transform((value) => [value].flat() as z.output<T>[]);
}

/** Complains of limits that another one of the list makes useless. `indexOf` gives the place of a limit in the list as written. */
export function refuseUnmet<T extends Counting>(
  limits: readonly T[],
  isStricter: IsStricter<T>,
  context: z.core.$RefinementCtx,
  indexOf: (position: number) => number = (position) => position,
): void {
  for (const [position, limit] of limits.entries()) {
    const isMoot = limits.some((other, index) => {
      if (index === position || other.per !== limit.per || !isStricter(other, limit)) return false;
      // Of two that say the same the first one is kept.
      return index < position || !isStricter(limit, other);
    });
    if (!isMoot) continue;
    const message = `has no effect: another one per ${limit.per} in this list is as strict or stricter; remove one of the two`;
    context.addIssue({ code: 'custom', path: [indexOf(position)], message });
  }
}
