import type { Duplex } from 'node:stream';
import type { Renewed } from '../admission/grant.ts';
import type { ChosenTarget, GatewayError } from '../errors.ts';
import type { HeaderField } from '../http/request.ts';
import type { AdmittedRequest } from '../upstream/forward.ts';
import type { Message } from './poll/profile.ts';

/** What a bridge is to the rest of the gateway. Types only. */

export type PeerName = 'client' | 'upstream';

/** How a session ended. `by` is whose doing it was. */
export interface Ending {
  readonly code: number;
  readonly reason: string;
  readonly by: PeerName | 'gateway';
  /** It was said in the way of the protocol, by whoever ended it: nothing was cut. */
  readonly clean: boolean;
  /** Why, where there is more to know than code and reason: for the log. */
  readonly error?: GatewayError;
  /**
   * The connection alone has ended: its session goes on at the service. Resolves with undefined when another connection has the
   * session, and with its own end if it is over before that.
   */
  readonly lingers?: Promise<Aftermath | undefined>;
  /** What the client was granted a place for goes on, with other connections or without one, and keeps it until this resolves. */
  readonly goesOn?: Promise<unknown>;
}

/** The end of a session that had no client any more. */
export interface Aftermath {
  readonly ending: Ending;
  /** Messages of its clients that the service has not accepted, on bridges that know. */
  readonly undelivered?: number | undefined;
}

/** A session with a service that has outlived its client, and goes on with another connection. */
export interface Resumption {
  /** What the service knows it by. */
  readonly connectionId: string;
  /** Milliseconds it was without a client. */
  readonly awayMs: number;
}

/** The numbers of one direction of one session. */
export interface Traffic {
  messages: number;
  bytes: number;
}

/** Whoever has owed a sign of life for longest, and for how many milliseconds. */
export interface Silence {
  readonly name: PeerName;
  readonly forMs: number;
}

/** How a session reaches the bridge that carries it; all must bear being called at any time, even after the end. */
export interface Link {
  /** Asks both peers for a sign of life: a ping, where one speaks WebSocket. */
  ping(): void;
  /** Milliseconds that the client's last answer to a ping took; undefined before there was one. */
  readonly roundTripMs?: number | undefined;
  /** Who has not given one at `now` (`performance.now()`); undefined if nobody owes one. */
  unresponsivePeer(now: number): Silence | undefined;
  /** Ends the bridge: Close where a Close may go, flush, deadline, destroy. `run` then resolves. `silent` is not waited for. */
  close(ending: Ending, silent?: PeerName): void;
  /** No more patience: destroys every socket now. `run` then resolves. */
  destroy(): void;
  /**
   * Puts a message of the service behind what is on its way to the client. Resolves with true when the client's socket has it,
   * with false if there is no client any more; never rejects. `full`: too many are waiting for it. Absent: its messages come
   * from an upstream that speaks for itself.
   */
  push?(message: Message): Promise<boolean> | 'full';
}

/** One open connection as a bridge sees it; made by `session/`. */
export interface SessionHandle {
  readonly id: string;
  /** Payload towards the upstream / towards the client. The bridge counts into these as bytes pass. */
  readonly up: Traffic;
  readonly down: Traffic;
  /** When its grant ends, and it with that, in milliseconds since the epoch; undefined where it does not. */
  readonly expiresAt: number | undefined;
  /** The client has proven itself anew: the grant ends then. */
  extend(grant: Renewed): void;
  /** It turns out to go on with another one, and where that leads to. */
  goesOn(resumption: Resumption, to: Destination): void;
  /** Client messages that were taken, and that the upstream has not accepted: said at the end by bridges that know. */
  undelivered?: number;
  /** Milliseconds a write may stay unread, and a Close unanswered. */
  readonly stallMs: number;
  readonly closeMs: number;
  /** Largest client message in bytes (Infinity if unlimited). */
  readonly messageSize: number;
  /** Most fragments one client message may have. */
  readonly fragments: number;
  /** The bridge introduces itself, once, before any byte is read. Ends at once if the session is to end already. */
  attach(link: Link): void;
  /**
   * A message or control frame from the client begins. Milliseconds to wait before it may pass (0: now). It is counted when
   * it is first asked for: ask again for the same one until it passes, before any other. Throws RATE_LIMITED where the limit
   * says `close`. `now` is `performance.now()`, for who has read it already.
   */
  admitMessage(now?: number): number;
  /**
   * Bytes came from the client. Milliseconds to stop reading for (0: go on). With none of them: how long it is for the last
   * ones still. Throws RATE_LIMITED where the limit says `close`.
   */
  admitBytes(count: number, now?: number): number;
}

/** What the 101 must say. */
export interface Acceptance {
  readonly protocol?: string;
  readonly deflate?: string;
  readonly headers?: readonly HeaderField[];
}

/** What a client that is refused is told on a WebSocket, before the Close with the code. */
export interface InBandRefusal {
  /** Named in the 101. */
  readonly protocol: string;
  /** A binary message. */
  readonly message: Buffer;
}

/** Where a session leads to. */
export interface Destination {
  /** The upstream, as logs name it. */
  readonly target: string;
  /** What metrics count its bytes under, one of a closed set; absent: nothing. */
  readonly label?: string | undefined;
  /** What the client has chosen, where clients choose. */
  readonly chosen?: ChosenTarget | undefined;
}

/** A dialled upstream, ready to be joined to a client. */
export interface Bridge extends Destination {
  readonly accept: Acceptance;
  /** What goes on with it; absent: it begins. */
  readonly resumes?: Resumption;
  /** Carries bytes until one side ends, both sockets destroyed. Never rejects. `head` is what the client sent after its handshake. */
  run(client: Duplex, head: Buffer, session: SessionHandle): Promise<Ending>;
  /** The client went away before the 101: give the upstream back. */
  abandon(): void;
}

/** Opens the upstream side of a route. Rejects with a GatewayError; `signal` aborts at the deadline or when the client leaves. */
export type Dial = (request: AdmittedRequest, signal: AbortSignal) => Promise<Bridge>;
