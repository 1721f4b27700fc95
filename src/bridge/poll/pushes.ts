import type { Link } from '../contract.ts';
import type { Message } from './profile.ts';

/** How a service reaches a client of its own accord: by the connection's name, or by a channel it listens to. */
export const PUSH_WAYS = ['connection', 'channel'] as const;
/** What becomes of a message that is pushed: `full` and `gone` are not delivered, `unsupported` never could be. */
export const PUSH_OUTCOMES = ['delivered', 'full', 'gone', 'unsupported'] as const;

export type PushWay = (typeof PUSH_WAYS)[number];
export type PushOutcome = (typeof PUSH_OUTCOMES)[number];

/** Hears what becomes of each message that is pushed to a session. Must not throw. */
export interface PushObserver {
  pushed(way: PushWay, outcome: PushOutcome): void;
}

/** Hears nothing. */
export const unheard: PushObserver = { pushed() {} };

/** What one that waits costs in memory besides its bytes, about: everybody who waits for it is part of that. */
const OVERHEAD = 1024;

/** Nothing is on its way. */
const SETTLED = Promise.resolve();

/** What a session has taken to pass on, in bytes: one thing of any size, or several within the limit. */
export class Allotment {
  readonly #limit: number;
  #bytes = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Takes room for so many bytes; undefined if there is none, else the undo, to be called once. */
  take(bytes: number): (() => void) | undefined {
    const cost = bytes + OVERHEAD;
    if (this.#bytes > 0 && this.#bytes + cost > this.#limit) return undefined;
    this.#bytes += cost;
    return () => {
      this.#bytes -= cost;
    };
  }
}

/**
 * Makes the way by which messages are pushed to one session: in order, of which `limit` bytes may wait for its client. Those
 * that come when the session ends are not delivered.
 */
export function createPushes(
  limit: number,
  deliver: (messages: readonly Message[]) => Promise<boolean>,
): NonNullable<Link['push']> {
  // To most sessions nothing is pushed.
  let allotment: Allotment | undefined;
  let last: Promise<unknown> = SETTLED;
  return function push(message) {
    allotment ??= new Allotment(limit);
    const giveBack = allotment.take(message.data.length);
    if (giveBack === undefined) return 'full';
    const done = last.then(() => deliver([message])).finally(giveBack);
    last = done.catch(() => {});
    return done;
  };
}
