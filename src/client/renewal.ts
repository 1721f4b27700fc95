import { LONGEST_MS } from './attempt.ts';
import type { Token } from './token.ts';

/** Is told when the token that holds ends, in milliseconds since 1970; 0: it does not, or matters no more. */
export type Renewal = (expiresAt: number) => void;

/** An end long past. */
export const OVERDUE = 1;
/** A token that is late already when it comes is the old one again, or the clock here is wrong: pauses double then. */
const LATE_MS = 250;
const LATEST_MS = 300_000;

/** Calls `renew` while the token still has a third of the time left, a minute at most; never for a token that cannot be asked for. */
export function createRenewal(token: Token | undefined, renew: () => void): Renewal {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let late = 0;
  return function renewBefore(expiresAt) {
    clearTimeout(timer);
    if (expiresAt === 0 || typeof token !== 'function') return;
    const left = expiresAt - Date.now();
    const pause = left - Math.min(60_000, Math.max(2_000, left / 3));
    late = pause > 0 ? 0 : Math.min(LATEST_MS, late * 2 || LATE_MS);
    timer = setTimeout(renew, Math.min(LONGEST_MS, Math.max(pause, late)));
  };
}
