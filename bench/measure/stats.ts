import type { Metric, Sample } from '../types.ts';

/** The median; of an even number of values the mean of the middle two; NaN of none. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 ? upper : (upper + (sorted[middle - 1] ?? Number.NaN)) / 2;
}

/** The value below which `share` (0..1) of the sorted values lie; NaN of none. */
export function percentile(sorted: ArrayLike<number>, share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

/** The median of each metric on its own, over the samples that have it. */
export function medians(samples: readonly Sample[]): Sample {
  const metrics = new Set(samples.flatMap((sample) => Object.keys(sample) as Metric[]));
  const result: Sample = {};
  for (const metric of metrics) {
    result[metric] = median(samples.map((sample) => sample[metric]).filter((value) => value !== undefined));
  }
  return result;
}
