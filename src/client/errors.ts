/** Why a connection was not made, or has ended. */
export class ConnectionError extends Error {
  override readonly name = 'ConnectionError';
  /** The WebSocket close code; 1006 where the network was lost, or a page may not know more. */
  readonly code: number;
  /** A proxy error type of RFC 9209 §2.3, such as `connection_refused`; empty where nobody said. */
  readonly error: string;

  /** `message` may be empty where nobody gave a reason. */
  constructor(code: number, message: string, error = '') {
    super(message || (WORDS[code] ?? `closed with ${code}`));
    this.code = code;
    this.error = error;
  }

  /** Whether it may go well another time, with nothing changed. */
  get mayRetry(): boolean {
    return RETRIED.includes(this.code);
  }
}

/** No word, going away, service restart, try again later, bad gateway. All others are about the client, or its token. */
const RETRIED = [1001, 1005, 1006, 1011, 1012, 1013, 1014];

/** Where nobody gave a reason. */
const WORDS: Readonly<Record<number, string>> = {
  1001: 'the gateway goes away',
  1006: 'lost, or refused by the gateway',
  3000: 'the token is not accepted',
  3003: 'the token does not permit this',
};

/** What was thrown by whoever gives tokens, or aborts, is about the client. */
export function asError(thrown: unknown, code = 3000): ConnectionError {
  if (thrown instanceof ConnectionError) return thrown;
  return new ConnectionError(code, thrown instanceof Error ? thrown.message : String(thrown));
}
