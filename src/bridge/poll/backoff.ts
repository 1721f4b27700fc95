import { setTimeout as delay } from 'node:timers/promises';
import { GatewayError } from '../../errors.ts';

const FIRST_STEP_MS = 250;
const LONGEST_FAILURE_STEP_MS = 30_000;
/** Nobody who brings nothing is asked more often. */
const SHORTEST_IDLE_MS = 1_000;
/** Of the time a request may be held: what comes between two polls must not wait for long. */
const IDLE_PART = 1 / 5;
/** Of the same: an answer that took this long was held. */
const HELD_PART = 1 / 2;
/** One that took less was not, however little a service says that it holds. */
const SHORTEST_HELD_MS = 100;
/** Whatever a service asks for. */
const LONGEST_WISH_MS = 300_000;

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

export interface BackoffOptions {
  /** Milliseconds of failure after which the service is given up; undefined: never. */
  readonly outageMs?: number | undefined;
  /** Milliseconds for which the service may hold a request; absent: nothing is idle. */
  readonly holdMs?: number | undefined;
  readonly clock?: Clock;
}

/** How long one loop bears with its service. */
export class Backoff {
  readonly #outageMs: number;
  readonly #holdMs: number;
  readonly #longestIdleMs: number;
  readonly #clock: Clock;
  #failures = 0;
  #idles = 0;
  #failingSince: number | undefined;

  constructor({ outageMs = Infinity, holdMs = Infinity, clock = systemClock }: BackoffOptions = {}) {
    this.#outageMs = outageMs;
    this.#holdMs = holdMs;
    this.#longestIdleMs = Math.max(2 * SHORTEST_IDLE_MS, holdMs * IDLE_PART);
    this.#clock = clock;
  }

  /** It works: it has brought something, or taken it. */
  restore(): void {
    this.#idles = 0;
    this.#recover();
  }

  /**
   * It failed: waits a random part of a step that doubles from 0.25 s to 30 s, or what Retry-After asks if that is
   * longer. Throws UPSTREAM_OUTAGE once nothing has worked for `outageMs`.
   */
  async lose({ cause, retryAfter }: Trouble, signal: AbortSignal): Promise<void> {
    const now = this.#clock.now();
    this.#failingSince ??= now;
    const left = this.#failingSince + this.#outageMs - now;
    if (left <= 0) throw new GatewayError('UPSTREAM_OUTAGE', { cause });
    const step = Math.min(LONGEST_FAILURE_STEP_MS, FIRST_STEP_MS * 2 ** this.#failures++);
    // Full jitter: clients that lost the same service do not come back to it at the same time.
    const ms = Math.max(this.#clock.random() * step, retryAfterMs(retryAfter, now));
    await this.#clock.sleep(Math.min(ms, left), signal);
  }

  /**
   * It works, but brought nothing, after `elapsedMs`. Returns the milliseconds to leave it alone for: none where the answer
   * was held for half of `holdMs`; else one to two seconds, at random, and more after answers that come at once again and
   * again, up to a part of `holdMs`.
   */
  idle(elapsedMs: number): number {
    this.#recover();
    if (elapsedMs >= Math.max(this.#holdMs * HELD_PART, SHORTEST_HELD_MS)) {
      this.#idles = 0;
      return 0;
    }
    const step = Math.min(this.#longestIdleMs, SHORTEST_IDLE_MS * 2 ** ++this.#idles);
    // Who has held for some time, though not for all of it, has waited already.
    const longest = Math.max(2 * SHORTEST_IDLE_MS, step - elapsedMs);
    return SHORTEST_IDLE_MS + this.#clock.random() * (longest - SHORTEST_IDLE_MS);
  }

  /** Leaves it alone, for five minutes at most, whatever it asks for. */
  async wait(ms: number, signal: AbortSignal): Promise<void> {
    if (ms > 0) await this.#clock.sleep(Math.min(ms, LONGEST_WISH_MS), signal);
  }

  #recover(): void {
    this.#failures = 0;
    this.#failingSince = undefined;
  }
}

/** Retry-After in milliseconds: seconds or a date (RFC 9110 §10.2.3), at most five minutes; 0 for anything else. */
export function retryAfterMs(field: string | undefined, now: number): number {
  if (field === undefined) return 0;
  const ms = /^\d+$/.test(field) ? Number(field) * 1000 : Date.parse(field) - now;
  return ms > 0 ? Math.min(ms, LONGEST_WISH_MS) : 0;
}
