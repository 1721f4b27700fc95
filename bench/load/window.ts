import { setTimeout as wait } from 'node:timers/promises';
import { cpuSeconds } from '../measure/proc.ts';
import type { Sample } from '../types.ts';

/** Latencies in a histogram of one bin a µs; what takes a second or more is in the last. */
export class Latencies {
  readonly #bins = new Uint32Array(1_000_000);
  #count = 0;

  /** Adds `count` round trips that took `milliseconds` each. */
  add(milliseconds: number, count: number): void {
    const bin = Math.min(this.#bins.length - 1, (milliseconds * 1000) | 0);
    this.#bins[bin] = (this.#bins[bin] as number) + count;
    this.#count += count;
  }

  clear(): void {
    this.#bins.fill(0);
    this.#count = 0;
  }

  /** The µs below which `share` (0..1) of them lie. */
  percentile(share: number): number {
    let seen = 0;
    const wanted = this.#count * share;
    return this.#bins.findIndex((count) => {
      seen += count;
      return seen > wanted;
    });
  }
}

/** What a window counts. */
export interface Tally {
  count: number;
  readonly latencies: Latencies;
}

/**
 * Lets a warm-up pass, then measures for some seconds: what `tally` counts, and what the peer's processes spend on it.
 * Rejects as soon as `failed` does.
 */
export async function measure(
  tally: Tally,
  pid: number,
  { warmUp, seconds }: { warmUp: number; seconds: number },
  failed: Promise<never>,
): Promise<Sample> {
  await Promise.race([wait(warmUp * 1000), failed]);
  tally.latencies.clear();
  const before = { count: tally.count, cpu: cpuSeconds(pid), time: performance.now() };
  await Promise.race([wait(seconds * 1000), failed]);
  const count = tally.count - before.count;
  const elapsed = (performance.now() - before.time) / 1000;
  const cpu = cpuSeconds(pid) - before.cpu;
  if (count === 0) throw new Error(`nothing came back in ${seconds} s`);
  return {
    cpuUs: (cpu * 1e6) / count,
    rate: count / elapsed,
    p50Us: tally.latencies.percentile(0.5),
    p99Us: tally.latencies.percentile(0.99),
    busy: cpu / elapsed,
  };
}
