import { setImmediate } from 'node:timers/promises';
import type { Clock } from '../../src/bridge/poll/backoff.ts';

/** Time that passes only by sleeping, at once; with `limit`, the sleep after that many never ends. */
export function fastClock(limit = Infinity): { clock: Clock; slept: number[]; pass(ms: number): void } {
  const slept: number[] = [];
  let now = 0;
  const clock: Clock = {
    now: () => now,
    random: () => 1,
    async sleep(ms, signal) {
      slept.push(ms);
      now += ms;
      await setImmediate(undefined, { signal });
      if (slept.length >= limit) await new Promise((_, reject) => signal.addEventListener('abort', reject));
    },
  };
  const pass = (ms: number) => {
    now += ms;
  };
  return { clock, slept, pass };
}
