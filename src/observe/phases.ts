/**
 * The phases of a handshake in their order: `parse` finds the route, too, `message` is the wait for a client's first message amid `admit`,
 * and `dial` ends when the upstream is ready.
 */
export const PHASES = ['parse', 'admit', 'message', 'dial'] as const;
export type Phase = (typeof PHASES)[number];

/** How long each phase took that was begun, in milliseconds. */
export type PhaseTimes = { readonly [name in Phase]?: number };

/** Takes the time of the phases of one handshake, which begins as this is made. */
export class PhaseClock {
  readonly startedAt = performance.now();
  readonly #times: { -readonly [name in Phase]?: number } = {};
  #phase: Phase | undefined = 'parse';
  #since = this.startedAt;

  /** The phase before is over. One that is entered again goes on. */
  enter(phase: Phase): void {
    this.#endPhase();
    this.#phase = phase;
  }

  /** The last phase is over, however it ended. Again changes nothing. */
  stop(): PhaseTimes {
    this.#endPhase();
    this.#phase = undefined;
    return this.#times;
  }

  #endPhase(): void {
    const now = performance.now();
    const phase = this.#phase;
    if (phase !== undefined) this.#times[phase] = (this.#times[phase] ?? 0) + now - this.#since;
    this.#since = now;
  }
}
