import type { Duplex } from 'node:stream';
import type { GatewayError } from './errors.ts';

/** What the rooms of the gateway say to one another about a request. Types only; who makes each is in its comment. */

/** One header field as it came: name as sent, value as sent. */
export type HeaderField = readonly [name: string, value: string];

/** A request as admission and routing see it; made by `listener/`. */
export interface GatewayRequest {
  /** Unique, made by us: in both access-log lines and in `x-request-id` upstream. */
  readonly id: string;
  readonly method: string;
  /** The socket's peer, IPv4-mapped IPv6 already written as IPv4. */
  readonly peerAddress: string;
  /** The peer, or whom a trusted proxy says it speaks for. */
  readonly clientAddress: string;
  /** The client spoke TLS to us (or, a trusted proxy says, to it). */
  readonly secure: boolean;
  /** The Host header as sent, `host[:port]`. */
  readonly authority: string;
  /** The host alone, lower case, no port, IPv6 without brackets. */
  readonly host: string;
  /** Path as sent, starting with `/`; no dot-segments, encoded slashes, NULs, empty or malformed escapes. */
  readonly path: string;
  /** Query as sent, without the `?`; empty if none. */
  readonly query: string;
  /** The one Origin header as sent; undefined if there is none. */
  readonly origin: string | undefined;
  /** Every header field in order. */
  readonly headers: readonly HeaderField[];
}

/** A WebSocket handshake whose form has been checked (RFC 6455 §4.2.1). */
export interface UpgradeRequest extends GatewayRequest {
  /** Sec-WebSocket-Key: 16 bytes in base64. */
  readonly key: string;
  /** Subprotocols offered, in order; token carriers are still among them. */
  readonly protocols: readonly string[];
  /** The permessage-deflate offers (RFC 7692 §7.1) in one field value; undefined if there are none. */
  readonly deflateOffer: string | undefined;
}

/** What admission found out about the client. Checks add to it as they pass. */
export interface Grant {
  /** `sub` of the token. */
  subject?: string;
  claims: Readonly<Record<string, unknown>>;
  /** `exp` in milliseconds since the epoch; undefined without a token. */
  expiresAt?: number;
  /** Where the token stood, so that it can be taken out of what goes upstream. */
  credential?: Credential;
  /** Further places where the same token stood: they are taken out as well. */
  copies?: readonly Credential[];
  /** Undo of what a check reserved (a connection's place); called once when the connection ends, however it ends. */
  readonly releases: (() => void)[];
}

export type Credential =
  | { readonly from: 'header' }
  | { readonly from: 'cookie' | 'query'; readonly name: string }
  /** The offered subprotocols that carry the token, and the one that may be named in the 101 in its place, if any. */
  | {
      readonly from: 'subprotocol';
      readonly carriers: readonly string[];
      readonly answer: string | undefined;
    };

/** Refuses by throwing a GatewayError; may add to the grant. Cheap local ones come first. */
export type Check = (request: GatewayRequest, grant: Grant) => void | Promise<void>;

/** A request that passed every check, with the token taken out; made by `admission/`. */
export interface AdmittedRequest extends UpgradeRequest {
  readonly grant: Grant;
  /** Segments captured by the route's `{name}`s, decoded. */
  readonly captures: Readonly<Record<string, string>>;
  /** Offered subprotocols that are not token carriers. */
  readonly protocols: readonly string[];
  /** Query without the token. */
  readonly query: string;
  /**
   * End-to-end header fields for the upstream: hop-by-hop, handshake, forwarding and token fields dropped, the
   * client's own identity headers replaced by claims, X-Forwarded-*, Forwarded and x-request-id set by us last. Host included.
   */
  readonly upstreamHeaders: readonly HeaderField[];
}

/** How a session ended. `by` is whose doing it was. */
export interface Ending {
  readonly code: number;
  readonly reason: string;
  readonly by: 'client' | 'upstream' | 'gateway';
  /** Why, where there is more to know than code and reason: for the log. */
  readonly error?: GatewayError;
}

/** The numbers of one direction of one session. */
export interface Traffic {
  messages: number;
  bytes: number;
}

/** How a session reaches the bridge that carries it; both must bear being called at any time, even after the end. */
export interface Link {
  /** Sends a ping to every peer that speaks WebSocket, and remembers how much each peer has sent so far. */
  ping(): void;
  /** The WebSocket peer that has sent nothing at all since the last `ping`, if any. */
  silent(): 'client' | 'upstream' | undefined;
  /** Ends the bridge: Close where a Close may go, flush, deadline, destroy. `run` then resolves. */
  close(ending: Ending): void;
  /** No more patience: destroys every socket now. `run` then resolves. */
  destroy(): void;
}

/** One open connection as a bridge sees it; made by `session/`. */
export interface SessionHandle {
  readonly id: string;
  /** Payload towards the upstream / towards the client. The bridge counts into these as bytes pass. */
  readonly up: Traffic;
  readonly down: Traffic;
  /** Milliseconds a write may stay unread, and a Close unanswered. */
  readonly stallMs: number;
  readonly closeMs: number;
  /** Largest client message in bytes (Infinity if unlimited). */
  readonly messageSize: number;
  /** The bridge introduces itself, once, before any byte is read. Ends at once if the session is to end already. */
  attach(link: Link): void;
  /**
   * A message or control frame from the client begins. Milliseconds to wait before it may pass (0: now; it is then
   * counted). Throws RATE_LIMITED where the limit says `close`. `now` is `performance.now()`, for who has read it already.
   */
  admitMessage(now?: number): number;
  /** Bytes came from the client. Milliseconds to stop reading for (0: go on). Throws RATE_LIMITED where the limit says `close`. */
  admitBytes(count: number, now?: number): number;
}

/** A dialled upstream, ready to be joined to a client. */
export interface Bridge {
  /** What the 101 must say. */
  readonly accept: {
    readonly protocol?: string;
    readonly deflate?: string;
    readonly headers?: readonly HeaderField[];
  };
  /** Carries bytes until one side ends, both sockets destroyed. Never rejects. `head` is what the client sent after its handshake. */
  run(client: Duplex, head: Buffer, session: SessionHandle): Promise<Ending>;
  /** The client went away before the 101: give the upstream back. */
  abandon(): void;
}

/** Opens the upstream side of a route. Rejects with a GatewayError; `signal` aborts at the deadline or when the client leaves. */
export type Dial = (request: AdmittedRequest, signal: AbortSignal) => Promise<Bridge>;
