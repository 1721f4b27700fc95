import type { LimitHit } from '../limit-hit.ts';
import type { Store } from '../store/index.ts';

/** What a limit does to who meets it: it waits, its request is refused, its connection is closed. */
export type LimitOutcome = 'throttled' | 'refused' | 'closed';

/** Hears what the limits of routes do. */
export interface LimitObserver {
  /** A route has a limit that may have this outcome; what is returned is called each time it has. */
  watch(route: string, limit: LimitHit, outcome: LimitOutcome): () => void;
}

/** What limits are compiled with. */
export interface LimitDeps {
  /** Remembers what they have counted. */
  readonly store: Store;
  /** Absent: nobody hears of them. */
  readonly limits?: LimitObserver | undefined;
  /** Leading bits of an IPv6 address that make one client; absent: 64. */
  readonly ipv6Prefix?: number | undefined;
}

/** Nobody hears it. */
export const unheard: LimitObserver = { watch: () => () => {} };
