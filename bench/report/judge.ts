import type { CaseResult, FrameAction, Metric, PeerResult, Target } from '../types.ts';

/** The peer that targets are about, unless they name another. */
export const JUDGED = 'Sallyport';

type Measured = Pick<CaseResult, 'name' | 'peers'>;

/**
 * Holds the medians of the peer that a target is about against it in one case: as a ratio to a peer, to itself or a peer in another case of
 * `all`, or as the bare figure. What was not measured, or has no yardstick, is left undefined.
 */
export function judge(target: Target, own: Measured, all: readonly Measured[]): FrameAction {
  const measured = medianOf(own, target.of ?? JUDGED, target.metric);
  const yardstick = measureOf(target, own, all);
  // A ratio to nothing says nothing.
  if (measured === undefined || !yardstick) return { target };
  const value = measured / yardstick;
  return { target, value, reached: within(value, target), proud: within(value, bolder(target)) };
}

/** The median of one peer in a case, if it was measured. */
export function medianOf(measured: Measured | undefined, name: string, metric: Metric): number | undefined {
  return measured?.peers.find(({ peer }) => peer === name)?.median[metric];
}

/** Whether a target is about a ratio, and not about the bare figure. */
export function isRatio({ against, inCase }: Target): boolean {
  return against !== undefined || inCase !== undefined;
}

/** The peer whose figure the others are compared with: the first that a target of the metric names, or the first. */
export function yardstickOf({ peers, verdicts }: CaseResult, metric: Metric): PeerResult | undefined {
  const named = verdicts
    .filter(({ target }) => target.metric === metric && target.inCase === undefined)
    .flatMap(({ target }) => peers.find(({ peer }) => peer === target.against) ?? []);
  return named[0] ?? peers[0];
}

function measureOf(target: Target, own: Measured, all: readonly Measured[]): number | undefined {
  const { of = JUDGED, against, inCase, metric } = target;
  if (!isRatio(target)) return 1;
  const where = inCase === undefined ? own : all.find(({ name }) => name === inCase);
  return medianOf(where, against ?? of, metric);
}

function within(
  value: number,
  { atMost = Infinity, atLeast = 0 }: Pick<Target, 'atMost' | 'atLeast'>,
): boolean {
  return value <= atMost && value >= atLeast;
}

/** `proud` stands in for whichever bound the target has; without it there is nothing more to reach. */
function bolder({ atMost, atLeast, proud }: Target): Pick<Target, 'atMost' | 'atLeast'> {
  if (proud === undefined) return { atMost: -Infinity };
  return atLeast === undefined ? { atMost: atMost === undefined ? undefined : proud } : { atLeast: proud };
}
