/** The messages of `sallyport.tcp.v1`, as config/TCP-PROTOCOL.md describes them. Pure, and free of Node: pages run it too. */

/** The subprotocol. */
export const TCP_PROTOCOL = 'sallyport.tcp.v1';
/** Offered beside it by who comes back to a connection. */
export const TCP_RESUME_PROTOCOL = 'sallyport.tcp.resume';

/** Bytes of DATA that each side may send before it is given more, and may have unacknowledged. */
export const WINDOW_BYTES = 256 * 1024;
/** Nobody gives more credit than this at a time. */
export const MAX_CREDIT = 16 * 1024 * 1024;
/** So many bytes received call for an ACK. */
export const ACK_BYTES = 64 * 1024;
/** Of one DATA message. */
export const MAX_DATA_BYTES = 64 * 1024;
/** Of any message, its type included. */
export const MAX_MESSAGE_BYTES = MAX_DATA_BYTES + 1;
export const MAX_TOKEN_BYTES = 16 * 1024;
export const MAX_TEXT_BYTES = 1024;
export const RESUME_ID_BYTES = 16;

/** The first byte of each message. */
export const TYPES = {
  DATA: 0,
  FIN: 1,
  RESET: 2,
  WINDOW: 3,
  OPENED: 4,
  FAILED: 5,
  AUTH: 6,
  AUTH_OK: 7,
  ACK: 8,
  RESUME: 9,
  RESUMED: 10,
} as const;

/** Why there is no connection, or no longer one. */
export interface Reason {
  /** A WebSocket close code. */
  readonly code: number;
  /** A proxy error type of RFC 9209 §2.3, for programs; may be empty. */
  readonly error: string;
  /** For people; may be empty. */
  readonly text: string;
}

export interface Opened {
  /** 16 bytes; all zero where the connection cannot be resumed. */
  readonly resumeId: Uint8Array;
  /** Milliseconds for which it can be resumed; 0 if it cannot. */
  readonly resumeMs: number;
  /** End of the token in milliseconds since 1970; 0 if it has none. */
  readonly expiresAt: number;
  /** As the gateway's log calls it. */
  readonly session: string;
  /** `host:port` as the client has named it; empty where the configuration does. */
  readonly peer: string;
}

/** Where to go on: bytes of DATA received, and how many more are taken beyond them. */
export interface Standing {
  readonly offset: number;
  readonly credit: number;
}

export type TcpMessage =
  | { readonly type: 'DATA'; readonly data: Uint8Array }
  | { readonly type: 'FIN' }
  | ({ readonly type: 'RESET' } & Reason)
  | { readonly type: 'WINDOW'; readonly credit: number }
  | ({ readonly type: 'OPENED' } & Opened)
  | ({ readonly type: 'FAILED' } & Reason)
  | { readonly type: 'AUTH'; readonly accessToken: string }
  | { readonly type: 'AUTH_OK'; readonly expiresAt: number }
  | { readonly type: 'ACK'; readonly offset: number }
  | ({ readonly type: 'RESUME'; readonly resumeId: Uint8Array } & Standing)
  | ({ readonly type: 'RESUMED'; readonly expiresAt: number } & Standing);

/** A message breaks the protocol; its text says how. */
export class TcpProtocolError extends Error {
  override readonly name = 'TcpProtocolError';
}
