import type { Candidate, Policy } from './policy.ts';

/** The one with the fewest live sessions for its weight; those that are even take turns. */
export function leastConnections(): Policy {
  let turn = 0;
  return function pickLeast(candidates, _asking, now) {
    const first = turn++ % candidates.length;
    let best = candidates[first] as (typeof candidates)[number];
    let lowest = load(best, now);
    for (let step = 1; step < candidates.length; step++) {
      const candidate = candidates[(first + step) % candidates.length] as typeof best;
      const own = load(candidate, now);
      if (own >= lowest) continue;
      best = candidate;
      lowest = own;
    }
    return best;
  };
}

/** With the session that is to come, so that weight counts among the idle, too. */
function load(candidate: Candidate, now: number): number {
  return (candidate.live + 1) / candidate.weight(now);
}
