import { ABNORMAL } from '../frames/close.ts';
import type { Aftermath, Ending } from './contract.ts';
import type { Clock } from './poll/backoff.ts';

export interface AbsenceOptions {
  readonly clock: Clock;
  /** Milliseconds it may last. */
  readonly forMs: number;
  /** Asks for a place to wait in; undefined if there is none, else the undo, to be called once. */
  park(): (() => void) | undefined;
}

/** Endings of a connection that its client did not want, and may not know of. */
const UNWANTED: ReadonlySet<string> = new Set(['CLIENT_LOST', 'PEER_SILENT', 'PEER_STALLED']);

/** What the upstream is told of a client that has not come back. */
export const LOST: Ending = { code: ABNORMAL, reason: '', by: 'client', clean: false };

/** Whether a client may come back after its connection has ended so. */
export function isUnwanted({ by, code, error }: Ending): boolean {
  return error === undefined ? by === 'client' && code === ABNORMAL : UNWANTED.has(error.code);
}

/** The time for which a session has no client. */
export class Absence {
  readonly #options: AbsenceOptions;
  #leave: (() => void) | undefined;
  #since: number | undefined;
  #timer = new AbortController();
  #ended = Promise.withResolvers<Aftermath | undefined>();

  constructor(options: AbsenceOptions) {
    this.#options = options;
  }

  /** Milliseconds it has lasted; 0 while there is a client. */
  get ms(): number {
    return this.#since === undefined ? 0 : this.#options.clock.now() - this.#since;
  }

  /** Resolves when the one that has begun is over; with how the session has ended, if it has. */
  get ended(): Promise<Aftermath | undefined> {
    return this.#ended.promise;
  }

  /** It begins, and `onLate` is called when it has lasted for too long. False: there is no place to wait in. */
  begin(onLate: () => void): boolean {
    const { clock, forMs, park } = this.#options;
    const leave = park();
    if (leave === undefined) return false;
    this.#leave = leave;
    this.#since = clock.now();
    this.#ended = Promise.withResolvers();
    this.#timer = new AbortController();
    clock.sleep(forMs, this.#timer.signal).then(onLate, () => {});
    return true;
  }

  /** It is over, or the session is. Again is a no-op. */
  end(aftermath?: Aftermath): void {
    this.#timer.abort();
    this.#leave?.();
    this.#leave = undefined;
    this.#since = undefined;
    this.#ended.resolve(aftermath);
  }
}
