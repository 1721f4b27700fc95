import { z } from 'zod';
import { type CountedPer, countedPer, isStricterMax, refuseUnmet } from './limit-lists.ts';

/** The configuration of how many plain requests may be under way at a time. */

/** What holds of every route that says nothing else. */
const DEFAULTS: readonly RequestsLimit[] = [
  { max: 128, per: 'address' },
  { max: 1024, per: 'route' },
];

export interface RequestsLimit {
  readonly max: number;
  readonly per: CountedPer;
}

const item = z
  .strictObject({
    max: z
      .int()
      .min(1)
      .optional()
      .describe('Of all clients together, beyond it 503; or as `per` says, beyond it 429; absent: 1024'),
    perClient: z
      .int()
      .min(1)
      .optional()
      .describe('Of one client address, as `per: address` counts; beyond it 429; absent: 128'),
    per: countedPer
      .optional()
      .describe('Whom `max` counts together, as `upgrades.per` says; absent: all clients together'),
  })
  .superRefine(({ max, perClient, per }, context) => {
    if (per === undefined) return;
    if (perClient !== undefined)
      context.addIssue({ code: 'custom', path: ['perClient'], message: BESIDE_PER });
    if (max === undefined) context.addIssue({ code: 'custom', path: ['per'], message: WITHOUT_MAX });
  });

const BESIDE_PER = 'does not go with per: write a list, { perClient: … } as an entry of its own';
const WITHOUT_MAX = 'says whom to count together, but not how many: add max';

type Item = z.output<typeof item>;

const several = z
  .array(item)
  .min(1)
  .superRefine((items, context) => {
    const written = items.flatMap((each, index) => limitsOf(each).map((limit) => ({ limit, index })));
    const limits = written.map(({ limit }) => limit);
    refuseUnmet(limits, isStricterMax, context, (position) => written[position]?.index ?? 0);
  });

/** One or several, read as a list with the defaults that it does not replace. */
export const requestLimits = z
  .union([item, several])
  .prefault({})
  .transform((value) => withDefaults([value].flat().flatMap(limitsOf)));

function limitsOf({ max, perClient, per = 'route' }: Item): RequestsLimit[] {
  const own = perClient === undefined ? [] : [{ max: perClient, per: 'address' } as const];
  return max === undefined ? own : [{ max, per }, ...own];
}

function withDefaults(limits: readonly RequestsLimit[]): readonly RequestsLimit[] {
  const isSaid = ({ per }: RequestsLimit) => limits.some((limit) => limit.per === per);
  return [...limits, ...DEFAULTS.filter((limit) => !isSaid(limit))];
}

/** Whether a limit holds without being said. */
export function isDefaultRequests({ max, per }: RequestsLimit): boolean {
  return DEFAULTS.some((limit) => limit.max === max && limit.per === per);
}
