/** Why a connection was not made, or has ended. */
export class ConnectionError extends Error {
  override readonly name = 'ConnectionError';
  /** The WebSocket close code; 1006 where the network was lost, or a page may not know more. */
  readonly code: number;
  /** A proxy error type of RFC 9209 §2.3, such as `connection_refused`; empty where nobody said. */
  readonly error: string;

  constructor(code: number, message: string, error = '') {
    super(message);
    this.code = code;
    this.error = error;
  }

  /** Whether it may go well another time, with nothing changed. */
  get mayRetry(): boolean {
    return RETRIED.has(this.code);
  }
}

/** No word, going away, service restart, try again later, bad gateway. All others are about the client, or its token. */
const RETRIED: ReadonlySet<number> = new Set([1001, 1005, 1006, 1011, 1012, 1013, 1014]);

/** In words, where nobody else gave any. */
export function describe(code: number, reason: string): string {
  return reason === '' ? (WORDS[code] ?? `the connection was closed with ${code}`) : reason;
}

const WORDS: Readonly<Record<number, string>> = {
  1000: 'the connection was closed',
  1001: 'the gateway is going away',
  1006: 'the connection was lost, or the gateway did not let it be made',
  1012: 'the gateway restarts',
  1013: 'the gateway is busy',
  1014: 'the service could not be reached',
  3000: 'the token is not accepted',
  3003: 'the token does not permit this',
  4409: 'another connection goes on with this one',
  4410: 'there is nothing left to go on with',
};
