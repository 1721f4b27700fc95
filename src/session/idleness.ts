import type { PeerName, Traffic } from '../bridge/contract.ts';
import type { TimeoutsConfig } from '../config/schema.ts';

/** What has come from each side so far, messages and bytes. */
export interface Counted {
  /** From the client. */
  readonly up: Readonly<Traffic>;
  /** From the service. */
  readonly down: Readonly<Traffic>;
}

const NONE: readonly Idleness[] = [];

/** What a connection may not be for too long: silent either way, or on one side of it. */
export function idlenessesOf(
  idle: TimeoutsConfig['idle'],
  counted: Counted,
  now: number,
): readonly Idleness[] {
  if (idle === undefined || idle === Infinity) return NONE;
  if (typeof idle === 'number') return [new Idleness(idle, undefined, counted, now)];
  const { client = Infinity, upstream = Infinity } = idle;
  return [
    ...(client < Infinity ? [new Idleness(client, 'client', counted, now)] : []),
    ...(upstream < Infinity ? [new Idleness(upstream, 'upstream', counted, now)] : []),
  ];
}

/** One silence that ends a connection when it has lasted. Nothing is done per message: what has moved is seen when its time is over. */
export class Idleness {
  /** Whose it is; undefined: of both. */
  readonly side: PeerName | undefined;
  readonly #limitMs: number;
  readonly #counted: Counted;
  #seen = 0;
  /** When to look again. */
  at: number;

  constructor(limitMs: number, side: PeerName | undefined, counted: Counted, now: number) {
    this.side = side;
    this.#limitMs = limitMs;
    this.#counted = counted;
    this.at = now + limitMs;
  }

  /** Its time is over, and nothing came since the last look; if something did, it is counted from now on. */
  hasPassed(now: number): boolean {
    if (now < this.at) return false;
    const traffic = this.#traffic();
    if (traffic === this.#seen) return true;
    this.#seen = traffic;
    this.at = now + this.#limitMs;
    return false;
  }

  #traffic(): number {
    const { up, down } = this.#counted;
    if (this.side === 'client') return up.messages + up.bytes;
    if (this.side === 'upstream') return down.messages + down.bytes;
    return up.messages + up.bytes + down.messages + down.bytes;
  }
}
