/** What is told of one way to fail. */
export interface Failure {
  /** HTTP status sent while the upgrade is still a request. */
  readonly status: number;
  /** Close code sent once the WebSocket is open. */
  readonly close: number;
  /** What the client reads: fixed text, never a cause, a claim or an address. At most 123 bytes (RFC 6455 §5.5). */
  readonly sentence: string;
  /** Seconds for Retry-After, where waiting helps. */
  readonly retryAfter?: number;
  /** Whose fault it is; the gateway's own decision unless said. What each side is told of an ending follows from it. */
  readonly source?: 'client' | 'upstream';
}
