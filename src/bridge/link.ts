import type { Closing, End } from './closing.ts';
import type { Link, Silence } from './contract.ts';

/** How a session reaches a bridge of two ends that `closing` ends. */
export function createLink(closing: Closing, ends: readonly End[]): Link {
  return {
    ping() {
      for (const end of ends) end.ping();
    },
    unresponsivePeer(now) {
      let longest: Silence | undefined;
      for (const end of ends) {
        const forMs = end.silence(now);
        if (forMs !== undefined && forMs >= (longest?.forMs ?? 0)) longest = { name: end.name, forMs };
      }
      return longest;
    },
    close: (ending, silent) => closing.begin(ending, silent),
    destroy: () => closing.destroy(),
  };
}
