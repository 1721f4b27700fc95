import { MOST_WORKERS } from '../config/workers.ts';

/**
 * Numbers for what is listed in the order in which it began, over all workers, none twice: the time, and by which worker. A worker
 * that takes another's place goes on behind it.
 */
export function ordinalsOf(worker: number, now: () => number = Date.now): () => number {
  let last = 0;
  return function next() {
    // Below 10^15 for a lifetime. A clock that is set back holds up the numbers, not their order.
    last = Math.max(last + MOST_WORKERS, now() * MOST_WORKERS + (worker % MOST_WORKERS));
    return last;
  };
}
