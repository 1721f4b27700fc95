import { GatewayError } from '../errors.ts';
import type { AdmittedRequest } from '../upstream/forward.ts';
import { failed } from './closing.ts';
import type { Ending } from './contract.ts';
import { ParkingSpace } from './parking-space.ts';

/**
 * What becomes of sessions whose clients are lost: resumed, or taken over by a second connection while the first was open;
 * expired, nobody came in time; ended, by the service or the gateway meanwhile; full, there was no place to wait in. `gone`: a
 * client came back to one that was over.
 */
export const LINGER_OUTCOMES = ['resumed', 'taken_over', 'expired', 'ended', 'full', 'gone'] as const;
export type LingerOutcome = (typeof LINGER_OUTCOMES)[number];

/** Hears of sessions without clients, by route. Must not throw. */
export interface LingerObserver {
  /** One more of them waits, or one less. */
  waits(route: string, change: 1 | -1): void;
  became(route: string, outcome: LingerOutcome): void;
}

export interface ParkingOptions {
  /** So many may wait for a client at a time. */
  readonly max: number;
  readonly route: string;
  /** What those of all routes share. Absent: nothing. */
  readonly space?: ParkingSpace | undefined;
  readonly observer?: LingerObserver | undefined;
}

const NO_BOUND = new ParkingSpace(Infinity);

/** A session that outlives its clients. */
export interface Resumable {
  /** Ends it, whether or not it has a client. */
  end(ending: Ending): void;
  /** Resolves when it is over. */
  readonly over: Promise<unknown>;
}

/** The sessions of one route that may be resumed, by whom and with what: those that have a client, and those that wait for one. */
export class Parking<S extends Resumable> {
  readonly #options: ParkingOptions;
  readonly #sessions = new Map<string, S>();
  #waiting = 0;
  #isClosed = false;

  constructor(options: ParkingOptions) {
    this.#options = options;
  }

  find(key: string): S | undefined {
    return this.#sessions.get(key);
  }

  /** Lets a session in; of two that have begun under one key at once, the first is ended. Returns the undo. */
  enter(key: string, session: S): () => void {
    this.find(key)?.end(failed(new GatewayError('RESUMED_ELSEWHERE')));
    this.#sessions.set(key, session);
    return () => {
      if (this.find(key) === session) this.#sessions.delete(key);
    };
  }

  /** A place to wait in; undefined if there is none, else the undo, to be called once. */
  park(): (() => void) | undefined {
    const { route, max, space = NO_BOUND, observer } = this.#options;
    if (this.#isClosed) return undefined;
    const leave = this.#waiting < max ? space.take() : undefined;
    if (leave === undefined) {
      this.became('full');
      return undefined;
    }
    this.#waiting++;
    observer?.waits(route, 1);
    return () => {
      leave();
      this.#waiting--;
      observer?.waits(route, -1);
    };
  }

  became(outcome: LingerOutcome): void {
    this.#options.observer?.became(this.#options.route, outcome);
  }

  /** Ends those that wait; none waits from now on. Resolves when the service of each is told, or will be. */
  async close(): Promise<void> {
    this.#isClosed = true;
    const all = [...this.#sessions.values()];
    for (const session of all) session.end(failed(new GatewayError('GOING_AWAY')));
    await Promise.all(all.map(({ over }) => over));
  }
}

/** Whose session a resume token names: of another subject it names another. */
export function keyOf({ grant: { issuer, subject } }: AdmittedRequest, secret: string): string {
  return JSON.stringify([issuer, subject, secret]);
}
