/** The phases of a handshake in their order: `parse` finds the route, too, and `dial` ends when the upstream is ready. */
export const PHASES = ['parse', 'admit', 'dial'] as const;
export type Phase = (typeof PHASES)[number];

/** How long each phase took that was begun, in milliseconds. */
export type PhaseTimes = { readonly [name in Phase]?: number };

/** Takes the time of the phases of one handshake, which begins as this is made. */
export class PhaseClock {
  readonly startedAt = performance.now();
  readonly #times: { -readonly [name in Phase]?: number } = {};
  #phase: Phase | undefined = 'parse';
  #since = this.startedAt;

  /** The phase before is over. */
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
    if (this.#phase !== undefined) this.#times[this.#phase] = now - this.#since;
    this.#since = now;
  }
}
