import type { RouteConfig } from '../config/schema.ts';
import type { GatewayError } from '../errors.ts';
import type { SessionRecord } from '../observe/index.ts';
import type { Ending, Grant, Link, SessionHandle, Traffic, UpgradeRequest } from '../request.ts';
import { Deadlines } from './deadlines.ts';
import type { Meter } from './meter.ts';

/** What a session is made of. */
export interface SessionParts {
  readonly route: RouteConfig;
  readonly bridge: SessionRecord['bridge'];
  readonly request: UpgradeRequest;
  readonly grant: Grant;
  readonly meter: Meter;
  /** Named in the 101. */
  readonly protocol: string | undefined;
}

/** One open connection: its numbers, its limits and its deadlines. Bridges see it as a SessionHandle, observers as a record. */
export class Session implements SessionHandle, SessionRecord {
  readonly up: Traffic = { messages: 0, bytes: 0 };
  readonly down: Traffic = { messages: 0, bytes: 0 };
  readonly startedAt = Date.now();
  readonly #since = performance.now();
  readonly #parts: SessionParts;
  #link: Link | undefined;
  #deadlines: Deadlines | undefined;
  /** Asked to end before the bridge was there. */
  #early: Ending | undefined;

  constructor(parts: SessionParts) {
    this.#parts = parts;
  }

  get id(): string {
    return this.#parts.request.id;
  }
  get route(): string {
    return this.#parts.route.name;
  }
  get bridge(): SessionRecord['bridge'] {
    return this.#parts.bridge;
  }
  get subject(): string | undefined {
    return this.#parts.grant.subject;
  }
  get clientAddress(): string {
    return this.#parts.request.clientAddress;
  }
  get peerAddress(): string {
    return this.#parts.request.peerAddress;
  }
  get origin(): string | undefined {
    return this.#parts.request.origin;
  }
  get host(): string {
    return this.#parts.request.host;
  }
  get path(): string {
    return this.#parts.request.path;
  }
  get protocol(): string | undefined {
    return this.#parts.protocol;
  }
  get stallMs(): number {
    return this.#parts.route.timeouts.stall;
  }
  get closeMs(): number {
    return this.#parts.route.timeouts.close;
  }
  get messageSize(): number {
    return this.#parts.route.limits.messageSize ?? Infinity;
  }
  get durationMs(): number {
    return performance.now() - this.#since;
  }

  attach(link: Link): void {
    this.#link = link;
    if (this.#early !== undefined) {
      link.close(this.#early);
      return;
    }
    const { route, grant } = this.#parts;
    const ignoresExpiry = route.auth === 'none' || route.auth.onExpiry === 'ignore';
    const limits = {
      timeouts: route.timeouts,
      keepalive: route.keepalive,
      expiresAt: ignoresExpiry ? undefined : grant.expiresAt,
    };
    this.#deadlines = new Deadlines(
      limits,
      link,
      () => this.#traffic,
      (error) => this.#expire(error),
    );
  }

  admitMessage(): number {
    return this.#parts.meter.admitMessage();
  }

  admitBytes(count: number): number {
    return this.#parts.meter.admitBytes(count);
  }

  /** Ends the connection from the gateway's side. */
  close(error: GatewayError): void {
    this.#expire(error);
  }

  /** Ends the connection without waiting for anybody. */
  destroy(): void {
    this.#link?.destroy();
  }

  /** The bridge has ended: no deadline is watched any more. */
  stop(): void {
    this.#deadlines?.stop();
  }

  get #traffic(): number {
    return this.up.messages + this.up.bytes + this.down.messages + this.down.bytes;
  }

  #expire(error: GatewayError): void {
    this.#deadlines?.stop();
    const ending: Ending = { code: error.close, reason: error.message, by: 'gateway', error };
    if (this.#link === undefined) this.#early ??= ending;
    else this.#link.close(ending);
  }
}
