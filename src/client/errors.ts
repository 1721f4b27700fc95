/** Why a connection was not made, or has ended. */
export class ConnectionError extends Error {
  override readonly name = 'ConnectionError';
  /** The WebSocket close code; 1006 where the network was lost, or a page may not know more. */
  readonly code: number;
  /** What the other side said; empty where it gave no reason, and the message is the library's. */
  readonly reason: string;
  /** A proxy error type of RFC 9209 §2.3, such as `connection_refused`; empty where nobody said. */
  readonly error: string;
  /** Whether it may go well another time, with nothing changed. */
  readonly mayRetry: boolean;

  constructor(code: number, reason = '', error = '') {
    super(reason || (code === 1006 ? 'connection lost or refused' : `closed with ${code}`));
    this.code = code;
    this.reason = reason;
    this.error = error;
    this.mayRetry = RETRIED.includes(code);
  }
}

/** No word, going away, service restart, try again later, bad gateway. All others are about the client, or its token. */
const RETRIED = [1001, 1005, 1006, 1011, 1012, 1013, 1014];

/** What was thrown by whoever gives tokens is about the client, but that of `fetch` without a network, which is a TypeError (Fetch §5.1). */
export function asError(thrown: unknown, code = thrown instanceof TypeError ? 1006 : 3000): ConnectionError {
  if (thrown instanceof ConnectionError) return thrown;
  return new ConnectionError(code, thrown instanceof Error ? thrown.message : String(thrown ?? ''));
}
