/** How an endpoint stands: what its dials and checks say of it. Pure but for the clock and the dice it is given. */

/** `due`: it has been out for its time, and one dial may probe it. */
export type State = 'well' | 'due' | 'out';

/** What has taken an endpoint out, and what lay beneath: the code of a failed dial, or what a check has met. */
export interface Outage {
  readonly by: 'dial' | 'check';
  readonly cause: unknown;
}

const SHORTEST_MS = 1_000;
const LONGEST_MS = 30_000;
/** Gateways that saw the same failure do not come back in the same moment. */
const JITTER = 0.25;
const SLOW_START_MS = 10_000;
/** The share of its weight that an endpoint starts with. */
const SLOWEST = 0.1;

/**
 * A failed dial takes the endpoint out for 1 s, the next one for 2 s, and so on up to 30 s, each ± 25 %; then a
 * single dial is let through, and if that works it is back. A check that is configured may take it out as well. Who
 * has come back, or has joined later than the others, gets its whole weight over 10 s only.
 *
 *         failed                 its time is over         a dial takes the probe
 *   well ────────→ out (1…30 s) ─────────────────→ due ──────────────────────→ out
 *     ↑                                             │      probe failed: twice as long
 *     └───────────────── a dial has worked ─────────┘
 */
export class Standing {
  readonly #random: () => number;
  readonly #onChange: (outage: Outage | undefined) => void;
  #failures = 0;
  #outUntil = 0;
  /** Under way: nobody else tries meanwhile. */
  #isProbed = false;
  /** Checks in a row that have failed, and whether they were too many. */
  #checksFailed = 0;
  #isDown = false;
  #backAt = Number.NEGATIVE_INFINITY;
  /** What was met last. */
  #met: Outage | undefined;

  /** `onChange` is told of the outage when it is well no more, and of none when it is again. */
  constructor(random: () => number = Math.random, onChange: (outage: Outage | undefined) => void = () => {}) {
    this.#random = random;
    this.#onChange = onChange;
  }

  state(now: number): State {
    if (this.#isWell) return 'well';
    if (this.#isDown) return 'out';
    return now < this.#outUntil || this.#isProbed ? 'out' : 'due';
  }

  /** Why it is not well: what the last dial or check has met that failed; undefined if it is. */
  get outage(): Outage | undefined {
    return this.#isWell ? undefined : this.#met;
  }

  /** The part of its weight that counts: 1, or less during a slow start. */
  ramp(now: number): number {
    const passed = (now - this.#backAt) / SLOW_START_MS;
    return passed >= 1 ? 1 : Math.max(SLOWEST, passed);
  }

  /** It was not there when the others began. */
  join(now: number): void {
    this.#backAt = now;
  }

  /** A dial begins; one that is due is probed by it. */
  begin(now: number): void {
    if (this.state(now) === 'due') this.#isProbed = true;
  }

  /** A dial has been given up, which says nothing. */
  leave(): void {
    this.#isProbed = false;
  }

  succeed(now: number): void {
    const wasWell = this.#isWell;
    if (this.#failures > 0) this.#backAt = now;
    this.#failures = 0;
    this.#isProbed = false;
    if (!wasWell && this.#isWell) this.#onChange(undefined);
  }

  /** A dial has failed, for that cause. */
  fail(now: number, cause?: string): void {
    const wasWell = this.#isWell;
    this.#isProbed = false;
    this.#met = { by: 'dial', cause };
    // Dials that began together fail together: that is one failure.
    if (now < this.#outUntil) return;
    const ms = Math.min(SHORTEST_MS * 2 ** this.#failures, LONGEST_MS);
    this.#failures += 1;
    this.#outUntil = now + ms * (1 + JITTER * (2 * this.#random() - 1));
    if (wasWell) this.#onChange(this.#met);
  }

  /** A check has failed; `limit` of them in a row take it out until one succeeds. */
  failCheck(limit: number, cause?: unknown): void {
    const wasWell = this.#isWell;
    this.#checksFailed += 1;
    this.#met = { by: 'check', cause };
    if (this.#checksFailed < limit) return;
    this.#isDown = true;
    if (wasWell) this.#onChange(this.#met);
  }

  /** A check has succeeded: whoever is out because of dials is due now. */
  passCheck(now: number): void {
    const wasWell = this.#isWell;
    this.#checksFailed = 0;
    this.#outUntil = Math.min(this.#outUntil, now);
    if (this.#isDown) this.#backAt = now;
    this.#isDown = false;
    if (!wasWell && this.#isWell) this.#onChange(undefined);
  }

  get #isWell(): boolean {
    return !this.#isDown && this.#failures === 0;
  }
}
