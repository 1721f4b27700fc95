import type { Ends } from '../proxy-protocol/types.ts';

/** A request as routing and admission see it; the listener makes them. */

/** What a request asks for: a WebSocket (or connect-tcp), or a plain answer. A route serves one or both. */
export type RequestKind = 'upgrade' | 'request';

/** One header field as it came: name as sent, value as sent. */
export type HeaderField = readonly [name: string, value: string];

/** The certificate with which a client has proven to be its subject: signed by one of the listener's authorities, and valid. */
export interface ClientCertificate {
  /** Its whole subject as one line, the outermost first: `CN=device-7,O=Acme` (RFC 4514). */
  readonly subject: string;
  /** The one common name in it; undefined if there is none, or more than one. */
  readonly commonName: string | undefined;
  /** Its other names (RFC 5280 §4.2.1.6). */
  readonly names: {
    readonly dns: readonly string[];
    readonly email: readonly string[];
    readonly uri: readonly string[];
  };
  readonly serialNumber: string;
  /** SHA-256 in lower case hexadecimal. */
  readonly fingerprint: string;
  /** Its end, in milliseconds since the epoch. */
  readonly expiresAt: number;
}

/** What was agreed with the peer over TLS. */
export interface TlsInfo {
  /** `TLSv1.2` or `TLSv1.3`. */
  readonly version: string;
  readonly cipher: string;
  readonly certificate?: ClientCertificate | undefined;
  /** Why the one that was shown is not believed, as OpenSSL calls it. */
  readonly certificateError?: string | undefined;
}

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
  /** Where its connection leads from and to, or as a trusted proxy's PROXY header says; undefined once it is gone. */
  readonly ends?: (() => Ends | undefined) | undefined;
  /** The client spoke TLS to us (or, a trusted proxy says, to it). */
  readonly secure: boolean;
  /** Of the peer's connection; undefined in plain text. */
  readonly tls?: TlsInfo | undefined;
  /** It came in plain text to a listener that only this machine reaches. */
  readonly isLocal?: boolean | undefined;
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

/** A WebSocket handshake whose form has been checked (RFC 6455 §4.2.1), or a request for connect-tcp, which has no part in its fields. */
export interface UpgradeRequest extends GatewayRequest {
  /** The version of connect-tcp that is asked for, by its upgrade token; undefined: it is a WebSocket. */
  readonly connectTcp?: string | undefined;
  /** Sec-WebSocket-Key: 16 bytes in base64; empty for connect-tcp. */
  readonly key: string;
  /** Subprotocols offered, in order; token carriers are still among them. */
  readonly protocols: readonly string[];
  /** The permessage-deflate offers (RFC 7692 §7.1) in one field value; undefined if there are none. */
  readonly deflateOffer: string | undefined;
  /**
   * Accepts it, and resolves with all that stands where tokens do in the first message of its client. Rejects with the GatewayError
   * that refuses it. Absent: no token is looked for there.
   */
  readonly firstMessage?: (() => Promise<readonly string[]>) | undefined;
  /**
   * The client has been greeted already, in the place of its service: the service's own first message is told to this, and goes no
   * further. Throws UPSTREAM_INVALID. Absent: it goes on.
   */
  readonly greeted?: ((text: string) => void) | undefined;
}

/** Whether a request asks for another protocol. */
export function isUpgrade(request: GatewayRequest): request is UpgradeRequest {
  return 'key' in request;
}
