import type { Candidate, Policy } from './policy.ts';

/**
 * In turn, each as often as its weight says, and spread out: 3 and 1 come as a a b a. (nginx calls it smooth: each
 * gains its weight at every turn, and the richest pays for all.)
 */
export function roundRobin(): Policy {
  const credits = new WeakMap<Candidate, number>();
  return function pickNext(candidates, _asking, now) {
    let best = candidates[0] as (typeof candidates)[number];
    let total = 0;
    let highest = Number.NEGATIVE_INFINITY;
    for (const candidate of candidates) {
      const weight = candidate.weight(now);
      const credit = (credits.get(candidate) ?? 0) + weight;
      total += weight;
      credits.set(candidate, credit);
      if (credit <= highest) continue;
      best = candidate;
      highest = credit;
    }
    credits.set(best, highest - total);
    return best;
  };
}
