/** A request as routing and admission see it; the listener makes them. */

/** What a request asks for: a WebSocket, or a plain answer. A route serves one or both. */
export type RequestKind = 'upgrade' | 'request';

/** One header field as it came: name as sent, value as sent. */
export type HeaderField = readonly [name: string, value: string];

/** A request as admission and routing see it; made by `listener/`. */
export interface GatewayRequest {
  /** In every access-log line, and in `x-request-id` upstream: made by us, or taken over from a trusted proxy. */
  readonly id: string;
  /** Unique, made by us: whatever must not be named by others goes by it. */
  readonly connectionId: string;
  readonly method: string;
  /** The socket's peer, IPv4-mapped IPv6 already written as IPv4. */
  readonly peerAddress: string;
  /** The peer, or whom a trusted proxy says it speaks for. */
  readonly clientAddress: string;
  /** The client spoke TLS to us (or, a trusted proxy says, to it). */
  readonly secure: boolean;
  /** The peer is a trusted proxy: what it says about the client is passed on as its word. */
  readonly isPeerTrusted: boolean;
  /** `host[:port]` as sent: in the target if it names one, else in the Host header. */
  readonly authority: string;
  /** What the client asked for, `host[:port]`: `authority`, or what a trusted proxy says it was. */
  readonly clientAuthority: string;
  /** The host alone, lower case, no port, IPv6 without brackets. */
  readonly host: string;
  /** Path as sent, starting with `/`, or the `*` of OPTIONS. The router refuses what servers could read in ways that matter. */
  readonly path: string;
  /** Query as sent, without the `?`; undefined if there is no `?`, since `/p?` is another address than `/p` (RFC 3986 §6.2.3). */
  readonly query: string | undefined;
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

/** Whether a request asks for a WebSocket. */
export function isUpgrade(request: GatewayRequest): request is UpgradeRequest {
  return 'key' in request;
}
