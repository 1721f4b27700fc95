import type { Link, PeerName } from '../bridge/contract.ts';
import type { KeepaliveConfig, TimeoutsConfig } from '../config/schema.ts';
import { type ErrorCode, GatewayError } from '../errors.ts';

/** What the deadlines of one connection are. */
export interface Limits {
  readonly timeouts: Pick<TimeoutsConfig, 'idle' | 'lifetime'>;
  readonly keepalive: KeepaliveConfig;
  /** `exp` of the token in milliseconds since the epoch, where the connection must end with it. */
  readonly expiresAt: number | undefined;
}

/** The connection whose deadlines these are. */
export interface Watched {
  /** Grows with every message and byte either way. */
  readonly traffic: number;
  /** A deadline has passed: ends it, told who does not answer if that is why. Called at most once. */
  expire(error: GatewayError, silent?: PeerName): void;
}

/** setTimeout takes at most 2^31-1 ms; a later deadline is looked at again then. */
const LONGEST_MS = 2_147_483_647;

/**
 * Watches one open connection with a single timer, set to the nearest of its deadlines: keepalive, idle, lifetime and
 * the token's expiry. Nothing is done per message: when the timer fires, it looks at what has moved since.
 */
export class Deadlines {
  readonly #limits: Limits;
  #expiresAt: number | undefined;
  readonly #link: Link;
  readonly #watched: Watched;
  #timer: NodeJS.Timeout | undefined;
  #pingAt: number;
  #pongBy = Infinity;
  #idleAt: number;
  #endAt: number;
  #seenTraffic = 0;
  #isStopped = false;

  constructor(limits: Limits, link: Link, watched: Watched) {
    const now = performance.now();
    this.#limits = limits;
    this.#expiresAt = limits.expiresAt;
    this.#link = link;
    this.#watched = watched;
    this.#pingAt = limits.keepalive === 'off' ? Infinity : now + limits.keepalive.every;
    this.#idleAt = now + (limits.timeouts.idle ?? Infinity);
    this.#endAt = now + (limits.timeouts.lifetime ?? Infinity);
    this.#arm();
  }

  /** The token ends at another time from now on, as `expiresAt` of the limits says it. */
  extend(expiresAt: number | undefined): void {
    this.#expiresAt = expiresAt;
    clearTimeout(this.#timer);
    if (!this.#isStopped) this.#arm();
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
  }

  #arm(): void {
    const now = performance.now();
    const nearest = Math.min(this.#pingAt, this.#pongBy, this.#idleAt, this.#endAt) - now;
    const wait = Math.min(nearest, this.#untilExpiry(), LONGEST_MS);
    this.#timer = setTimeout(() => this.#onTimer(), Math.max(1, Math.ceil(wait)));
  }

  /** The token's end is a time of day; everything else is counted on a clock that never jumps. */
  #untilExpiry(): number {
    return this.#expiresAt === undefined ? Infinity : this.#expiresAt - Date.now();
  }

  #onTimer(): void {
    const now = performance.now();
    const passed = this.#passed(now);
    if (passed !== undefined) {
      this.#watched.expire(new GatewayError(passed));
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

  /** The deadline that ends the connection now, if one does. */
  #passed(now: number): ErrorCode | undefined {
    if (this.#untilExpiry() <= 0) return 'TOKEN_EXPIRED';
    if (now >= this.#endAt) return 'LIFETIME';
    return now >= this.#idleAt && !this.#hasMoved(now) ? 'IDLE' : undefined;
  }

  /** The peer that has been silent for too long; if none has, it is seen to when to look again. */
  #judgeSilence(now: number): PeerName | undefined {
    const { keepalive } = this.#limits;
    const silence = this.#link.unresponsivePeer(now);
    this.#pongBy = Infinity;
    if (silence === undefined || keepalive === 'off') return undefined;
    if (silence.forMs >= keepalive.within) return silence.name;
    this.#pongBy = now + keepalive.within - silence.forMs;
    // A new ping would begin its time anew.
    this.#pingAt = Math.max(this.#pingAt, this.#pongBy);
    return undefined;
  }

  /** Something came since the last look: idleness is counted from now on. */
  #hasMoved(now: number): boolean {
    const { traffic } = this.#watched;
    const moved = traffic !== this.#seenTraffic;
    this.#seenTraffic = traffic;
    if (moved) this.#idleAt = now + (this.#limits.timeouts.idle ?? Infinity);
    return moved;
  }

  #ping(now: number): void {
    const { keepalive } = this.#limits;
    if (keepalive === 'off') return;
    this.#link.ping();
    this.#pongBy = now + keepalive.within;
    this.#pingAt = now + Math.max(keepalive.every, keepalive.within);
  }
}
