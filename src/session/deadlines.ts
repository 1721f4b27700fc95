import type { Expiry } from '../admission/grant.ts';
import type { Link, PeerName } from '../bridge/contract.ts';
import type { KeepaliveConfig, TimeoutsConfig } from '../config/schema.ts';
import { GatewayError } from '../errors.ts';
import { type Counted, type Idleness, idlenessesOf } from './idleness.ts';

/** What the deadlines of one connection are. */
export interface Limits {
  readonly timeouts: Pick<TimeoutsConfig, 'idle' | 'lifetime'>;
  readonly keepalive: KeepaliveConfig;
  /** `exp` of the token, where the connection must end with it. */
  readonly until: Expiry;
}

/** The connection whose deadlines these are. */
export interface Watched extends Counted {
  /** A deadline has passed: ends it, told who does not answer if that is why. Called at most once. */
  expire(error: GatewayError, silent?: PeerName): void;
}

/** Connections whose tokens end together are ended over so many milliseconds, if those have that much tolerance. */
const SPREAD_MS = 5_000;

/** Timers do not see the clock being set: what ends at a time of day is looked at again so often. */
const CLOCK_MS = 30_000;

/** setTimeout takes at most 2^31-1 ms; a later deadline is looked at again then. */
const LONGEST_MS = 2_147_483_647;

/**
 * Watches one open connection with a single timer, set to the nearest of its deadlines: keepalive, idle, lifetime and
 * the token's expiry. Nothing is done per message: when the timer fires, it looks at what has moved since.
 */
export class Deadlines {
  readonly #limits: Limits;
  /** In milliseconds since the epoch; Infinity where nothing ends. */
  #expiresAt: number;
  readonly #link: Link;
  readonly #watched: Watched;
  #timer: NodeJS.Timeout | undefined;
  #pingAt: number;
  #pongBy: number;
  readonly #idlenesses: readonly Idleness[];
  readonly #endAt: number;
  #isStopped = false;

  constructor(limits: Limits, link: Link, watched: Watched) {
    const now = performance.now();
    this.#limits = limits;
    this.#expiresAt = endOf(limits.until);
    this.#link = link;
    this.#watched = watched;
    const { keepalive } = limits;
    this.#pingAt = keepalive === 'off' ? Infinity : now + keepalive.every;
    // Before the first ping, too, something may be owed for what was written.
    this.#pongBy = keepalive === 'off' ? Infinity : now + keepalive.within / 2;
    this.#idlenesses = idlenessesOf(limits.timeouts.idle, watched, now);
    this.#endAt = now + (limits.timeouts.lifetime ?? Infinity);
    this.#arm();
  }

  /** The token ends at another time from now on. */
  extend(until: Expiry): void {
    this.#expiresAt = endOf(until);
    clearTimeout(this.#timer);
    if (!this.#isStopped) this.#arm();
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
  }

  #arm(): void {
    const now = performance.now();
    let nearest = Math.min(this.#pingAt, this.#pongBy, this.#endAt);
    for (const { at } of this.#idlenesses) nearest = Math.min(nearest, at);
    const longest = this.#expiresAt === Infinity ? LONGEST_MS : CLOCK_MS;
    const wait = Math.min(nearest - now, this.#untilExpiry(), longest);
    this.#timer = setTimeout(() => this.#onTimer(), Math.max(1, Math.ceil(wait)));
  }

  /** The token's end is a time of day; everything else is counted on a clock that never jumps. */
  #untilExpiry(): number {
    return this.#expiresAt - Date.now();
  }

  #onTimer(): void {
    const now = performance.now();
    const passed = this.#passed(now);
    if (passed !== undefined) {
      this.#watched.expire(passed);
      return;
    }
    const silent = now >= this.#pongBy ? this.#judgeSilence(now) : undefined;
    if (silent !== undefined) {
      const code = silent === 'client' ? 'PEER_SILENT' : 'UPSTREAM_TIMEOUT';
      this.#watched.expire(new GatewayError(code), silent);
      return;
    }
    if (now >= this.#pingAt) this.#ping(now);
    this.#arm();
  }

  /** Why the connection ends now, if a deadline has passed. */
  #passed(now: number): GatewayError | undefined {
    if (this.#untilExpiry() <= 0) return new GatewayError('TOKEN_EXPIRED');
    if (now >= this.#endAt) return new GatewayError('LIFETIME');
    const idle = this.#idlenesses.find((idleness) => idleness.hasPassed(now));
    if (idle === undefined) return undefined;
    if (idle.side === undefined) return new GatewayError('IDLE');
    return new GatewayError('IDLE', { detail: `nothing has come from the ${idle.side}` });
  }

  /** The peer that has been silent for too long; if none has, it is seen to when to look again. */
  #judgeSilence(now: number): PeerName | undefined {
    const { keepalive } = this.#limits;
    const silence = this.#link.unresponsivePeer(now);
    this.#pongBy = Infinity;
    if (silence === undefined || keepalive === 'off') return undefined;
    if (silence.forMs >= keepalive.within) return silence.name;
    // Of who is not silent yet more is known in half of its time: else one that falls silent right after a look has twice of it.
    this.#pongBy = now + (silence.forMs > 0 ? keepalive.within - silence.forMs : keepalive.within / 2);
    // A new ping would begin its time anew, where it has begun.
    if (silence.forMs > 0) this.#pingAt = Math.max(this.#pingAt, this.#pongBy);
    return undefined;
  }

  #ping(now: number): void {
    const { keepalive } = this.#limits;
    if (keepalive === 'off') return;
    this.#link.ping();
    this.#pongBy = Math.min(this.#pongBy, now + keepalive.within);
    this.#pingAt = now + Math.max(keepalive.every, keepalive.within);
  }
}

/** Never before the token ends, nor when its tolerance is over: by then it would not be let in again. */
function endOf({ expiresAt = Infinity, graceMs = 0 }: Expiry): number {
  return expiresAt + Math.random() * Math.min(SPREAD_MS, graceMs);
}
