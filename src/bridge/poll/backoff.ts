import { setTimeout as delay } from 'node:timers/promises';
import { GatewayError } from '../../errors.ts';

const FIRST_STEP_MS = 250;
const LONGEST_FAILURE_STEP_MS = 30_000;
/** A service that answers at once when it has nothing is no failure: a message must not wait half a minute for it. */
const LONGEST_IDLE_STEP_MS = 5_000;
const LONGEST_RETRY_AFTER_MS = 300_000;
/** An empty answer faster than this was not held. */
const SPIN_MS = 50;

/** Time and chance, as a test may want to choose them. */
export interface Clock {
  /** Milliseconds since the epoch; never runs backwards. */
  now(): number;
  /** In [0, 1). */
  random(): number;
  /** Rejects when the signal aborts. */
  sleep(ms: number, signal: AbortSignal): Promise<unknown>;
}

export const systemClock: Clock = {
  // Unlike Date.now() it does not jump when the machine's clock is set.
  now: () => performance.timeOrigin + performance.now(),
  random: Math.random,
  sleep: (ms, signal) => delay(ms, undefined, { signal }),
};

/** Why a request has to be tried again. */
export interface Trouble {
  readonly cause: unknown;
  /** The Retry-After field of the answer, if there was one. */
  readonly retryAfter?: string | undefined;
}

/** How long one loop bears with its service. */
export interface Backoff {
  /** It works. */
  restore(): void;
  /**
   * It failed: waits a random part of a step that doubles from 0.25 s to 30 s, or what Retry-After asks if that is
   * longer. Throws UPSTREAM_OUTAGE once nothing has worked for `outageMs`.
   */
  lose(trouble: Trouble, signal: AbortSignal): Promise<void>;
  /** It had nothing, after `elapsedMs`: an answer that was not held is followed by a wait that grows to 5 s. */
  idle(elapsedMs: number, signal: AbortSignal): Promise<void>;
}

/** Makes the backoff of one loop; `outageMs` undefined is without end. */
export function createBackoff(outageMs: number = Infinity, clock: Clock = systemClock): Backoff {
  let failures = 0;
  let idles = 0;
  let failingSince: number | undefined;

  function restore(): void {
    failures = 0;
    idles = 0;
    failingSince = undefined;
  }

  async function lose({ cause, retryAfter }: Trouble, signal: AbortSignal): Promise<void> {
    const now = clock.now();
    failingSince ??= now;
    const left = failingSince + outageMs - now;
    if (left <= 0) throw new GatewayError('UPSTREAM_OUTAGE', { cause });
    const wait = Math.max(step(failures++, LONGEST_FAILURE_STEP_MS), retryAfterMs(retryAfter, now));
    await clock.sleep(Math.min(wait, left), signal);
  }

  async function idle(elapsedMs: number, signal: AbortSignal): Promise<void> {
    failures = 0;
    failingSince = undefined;
    if (elapsedMs >= SPIN_MS) idles = 0;
    else await clock.sleep(step(idles++, LONGEST_IDLE_STEP_MS), signal);
  }

  /** Full jitter: clients that lost the same service do not come back to it at the same time. */
  function step(count: number, longest: number): number {
    return clock.random() * Math.min(longest, FIRST_STEP_MS * 2 ** count);
  }

  return { restore, lose, idle };
}

/** Retry-After in milliseconds: seconds or a date (RFC 9110 §10.2.3), at most five minutes; 0 for anything else. */
export function retryAfterMs(field: string | undefined, now: number): number {
  if (field === undefined) return 0;
  const ms = /^\d+$/.test(field) ? Number(field) * 1000 : Date.parse(field) - now;
  return ms > 0 ? Math.min(ms, LONGEST_RETRY_AFTER_MS) : 0;
}
