import type { Expiry, Grant, Renewed } from '../admission/grant.ts';
import { type Proof, proofOf } from '../admission/revocations.ts';
import { failed } from '../bridge/closing.ts';
import type {
  Destination,
  Ending,
  Link,
  PeerName,
  Resumption,
  SessionHandle,
  Traffic,
} from '../bridge/contract.ts';
import type { Message } from '../bridge/poll/profile.ts';
import type { RouteConfig } from '../config/schema.ts';
import type { ChosenTarget, GatewayError } from '../errors.ts';
import type { CloseStatus } from '../frames/close.ts';
import type { UpgradeRequest } from '../http/request.ts';
import type { ConnectionRecord } from '../observe/admin/backchannel.ts';
import type { SessionRecord } from '../observe/index.ts';
import type { PhaseTimes } from '../observe/phases.ts';
import { userAgentOf } from '../observe/user-agent.ts';
import { Deadlines, type Watched } from './deadlines.ts';
import type { Meter } from './meter.ts';

/** What a session is made of. */
export interface SessionParts extends Destination {
  /** The how many-th it is of all that were opened. */
  readonly ordinal: number;
  readonly route: RouteConfig;
  readonly bridge: SessionRecord['bridge'];
  readonly request: UpgradeRequest;
  readonly grant: Grant;
  readonly meter: Meter;
  /** Named in the 101. */
  readonly protocol: string | undefined;
  /** What the client has offered where none is named; absent or empty: nothing. */
  readonly offered?: string;
  /** What goes on with it; absent: it begins. */
  readonly resumes?: Resumption | undefined;
  /** It goes by another `connectionId` from now on, in place of this one. Absent: nobody keeps them by it. */
  readonly onRenamed?: ((before: string) => void) | undefined;
  /** Of its handshake: not kept. */
  readonly phases: PhaseTimes;
}

/** One open connection: its numbers, its limits and its deadlines. Bridges see it as a SessionHandle, observers as a record, deadlines as Watched. */
export class Session implements SessionHandle, SessionRecord, Watched {
  // Copied one by one: the request's headers and the token's claims are not to stay in memory with the session.
  readonly id: string;
  readonly ordinal: number;
  /** What its service knows it by. */
  connectionId: string;
  readonly route: string;
  readonly bridge: SessionRecord['bridge'];
  target: string;
  label: string | undefined;
  readonly subject: string | undefined;
  readonly issuer: string | undefined;
  readonly clientAddress: string;
  readonly peerAddress: string;
  readonly tls: string | undefined;
  readonly cipher: string | undefined;
  readonly userAgent: string | undefined;
  readonly origin: string | undefined;
  readonly host: string;
  readonly path: string;
  readonly protocol: string | undefined;
  readonly offered: string | undefined;
  awayMs: number | undefined;
  readonly up: Traffic = { messages: 0, bytes: 0 };
  readonly down: Traffic = { messages: 0, bytes: 0 };
  undelivered?: number;
  readonly startedAt = Date.now();
  readonly #since = performance.now();
  #chosen: ChosenTarget | undefined;
  readonly #config: RouteConfig;
  readonly #meter: Meter;
  readonly #onRenamed: SessionParts['onRenamed'];
  #until: Expiry;
  /** What it was let in by, as far as that can be revoked. */
  proof: Proof;
  #link: Link | undefined;
  #deadlines: Deadlines | undefined;
  /** Asked to end before the bridge was there. */
  #early: Ending | undefined;
  /** The gateway has begun to end it. */
  isEnding = false;

  constructor(parts: SessionParts) {
    const { route, bridge, target, label, chosen, request, grant, meter, resumes } = parts;
    this.id = request.id;
    this.ordinal = parts.ordinal;
    this.connectionId = resumes?.connectionId ?? request.connectionId;
    this.awayMs = resumes?.awayMs;
    this.route = route.name;
    this.bridge = bridge;
    this.target = target;
    this.label = label;
    this.#chosen = chosen;
    this.subject = grant.subject;
    this.issuer = grant.issuer;
    this.clientAddress = request.clientAddress;
    this.peerAddress = request.peerAddress;
    this.tls = request.tls?.version;
    this.cipher = request.tls?.cipher;
    this.userAgent = userAgentOf(request.headers);
    this.origin = request.origin;
    this.host = request.host;
    this.path = request.path;
    this.protocol = parts.protocol;
    this.offered = parts.offered || undefined;
    this.#config = route;
    this.#meter = meter;
    this.#onRenamed = parts.onRenamed;
    this.#until = expiryOf(grant);
    this.proof = proofOf(grant);
  }

  get asked(): string | undefined {
    return this.#chosen?.asked;
  }
  get rule(): string | undefined {
    return this.#chosen?.rule;
  }
  get stallMs(): number {
    return this.#config.timeouts.stall;
  }
  get closeMs(): number {
    return this.#config.timeouts.close;
  }
  get messageSize(): number {
    return this.#config.limits.messageSize ?? Infinity;
  }
  get fragments(): number {
    return this.#config.limits.fragments;
  }
  get expiresAt(): number | undefined {
    const { auth } = this.#config;
    return auth === 'none' || auth.onExpiry === 'ignore' ? undefined : this.#until.expiresAt;
  }
  get #watchedUntil(): Expiry {
    return { expiresAt: this.expiresAt, graceMs: this.#until.graceMs };
  }
  get roundTripMs(): number | undefined {
    return this.#link?.roundTripMs;
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
    const { timeouts, keepalive } = this.#config;
    this.#deadlines = new Deadlines({ timeouts, keepalive, until: this.#watchedUntil }, link, this);
  }

  extend(grant: Renewed): void {
    this.#until = expiryOf(grant);
    this.proof = { ...this.proof, ...grant.marks };
    this.#deadlines?.extend(this.#watchedUntil);
  }

  goesOn({ connectionId, awayMs }: Resumption, { target, label, chosen }: Destination): void {
    const before = this.connectionId;
    this.connectionId = connectionId;
    this.awayMs = awayMs;
    this.target = target;
    this.label = label;
    this.#chosen = chosen;
    this.#onRenamed?.(before);
  }

  admitMessage(now?: number): number {
    return this.#meter.admitMessage(now);
  }

  admitBytes(count: number, now?: number): number {
    return this.#meter.admitBytes(count, now);
  }

  /** Ends the connection from the gateway's side. */
  close(error: GatewayError): void {
    this.expire(error);
  }

  /** Ends the connection as its service wishes: the Close that it would have sent. */
  end({ code, reason }: CloseStatus): void {
    this.#begin({ code, reason, by: 'gateway', clean: true });
  }

  /** Sends a message to the client; `unsupported` where its upstream speaks for itself. The rest is Link's. */
  push(message: Message): Promise<boolean> | 'full' | 'unsupported' {
    return this.#link?.push?.(message) ?? 'unsupported';
  }

  /** What its service may know of it. */
  describe(): ConnectionRecord {
    const { connectionId: id, id: request, route, bridge, subject, protocol, clientAddress, up, down } = this;
    const since = new Date(this.startedAt).toISOString();
    return { id, request, route, bridge, subject, protocol, clientAddress, since, up, down };
  }

  /** Ends the connection without waiting for anybody. */
  destroy(): void {
    this.#link?.destroy();
  }

  /** The bridge has ended: no deadline is watched any more. */
  stop(): void {
    this.#deadlines?.stop();
  }

  expire(error: GatewayError, silent?: PeerName): void {
    this.#begin(failed(error), silent);
  }

  #begin(ending: Ending, silent?: PeerName): void {
    this.isEnding = true;
    this.#deadlines?.stop();
    if (this.#link === undefined) this.#early ??= ending;
    else this.#link.close(ending, silent);
  }
}

/** A copy of what is needed: a grant holds the claims of its token. */
function expiryOf({ expiresAt, graceMs }: Expiry): Expiry {
  return { expiresAt, graceMs };
}
