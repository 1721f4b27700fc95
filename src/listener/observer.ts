/** What the listeners tell of their connections, before any request is theirs to tell of. */

/**
 * Why the gateway parts with a connection for want of room: `full`, it asked for something and was told so; `crowded`, there
 * was no room even to hear what it asks for; `idle`, nothing was under way on it, and a newcomer took its place.
 */
export const PARTING_REASONS = ['full', 'crowded', 'idle'] as const;
export type PartingReason = (typeof PARTING_REASONS)[number];

/**
 * Why a TLS handshake failed: `not_tls`, what came begins none, nor HTTP; `ended`, the connection was gone before it was done, as
 * a probe's or one sent away is; `certificate`, the client does not accept ours; `client_certificate`, it has none, or none that
 * is accepted here.
 */
export const TLS_FAILURES = [
  'plain_http',
  'not_tls',
  'timeout',
  'ended',
  'version',
  'cipher',
  'alpn',
  'certificate',
  'client_certificate',
  'other',
] as const;
export type TlsFailure = (typeof TLS_FAILURES)[number];

/** Why what a trusted proxy says of a connection could not be read: it is no such header, has not come in time, or the proxy has left. */
export const PROXY_HEADER_FAILURES = ['malformed', 'timeout', 'ended'] as const;
export type ProxyHeaderFailure = (typeof PROXY_HEADER_FAILURES)[number];

/** Hears of every client connection. Must not throw and must not wait. */
export interface ConnectionObserver {
  /** A connection was accepted; `closed` follows. */
  opened(): void;
  closed(): void;
  parted(reason: PartingReason, peerAddress: string | undefined): void;
  /** `detail`: what is wrong with the client's certificate, as OpenSSL calls it, or what else may help. */
  tlsFailed(reason: TlsFailure, peerAddress: string | undefined, detail?: string): void;
  /** A connection of a trusted proxy was ended. `detail`: what is wrong with its header. */
  proxyHeaderFailed(reason: ProxyHeaderFailure, peerAddress: string | undefined, detail?: string): void;
  /** The system did not give us a connection that had come. */
  acceptFailed(error: Error): void;
}
