import { ConnectionError } from './errors.ts';
import { type Token, tokenOf } from './token.ts';
import type { OpenWebSocket } from './wire.ts';

/** What each attempt to connect needs. */
export interface AttemptOptions {
  /** A token, or what gives one; asked for each connection, and before the one that holds ends. */
  readonly token?: Token;
  /** Subprotocols to offer. The token is offered besides, and never chosen. */
  readonly protocols?: readonly string[];
  /** Milliseconds in which the token is there, and the connection open; a new token there, and accepted. Absent: 30,000. */
  readonly openTimeoutMs?: number;
  /** Makes the WebSockets. Absent: what this place has. */
  readonly open?: OpenWebSocket;
}

/** setTimeout takes no more: it fires at once instead. */
export const LONGEST_MS = 2 ** 31 - 1;

/**
 * Asks for a token, and settles as what `work` does with it. The signal of `work` aborts when both take too long, and follows `stop` for
 * good. Rejects with ConnectionError, what the token function throws, or the reason of `stop`.
 */
export async function attempt<T>(
  { token, openTimeoutMs = 30_000 }: AttemptOptions,
  stop: AbortSignal,
  work: (token: string | undefined, signal: AbortSignal) => T | Promise<T>,
): Promise<T> {
  stop.throwIfAborted();
  const late = new AbortController();
  const signal = AbortSignal.any([stop, late.signal]);
  const timer = setTimeout(onLate, Math.min(openTimeoutMs, LONGEST_MS));
  const aborted = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason));
  });
  try {
    return await Promise.race([aborted, tokenOf(token).then((text) => work(text, signal))]);
  } finally {
    clearTimeout(timer);
  }
  function onLate(): void {
    late.abort(new ConnectionError(1006, `no answer within ${openTimeoutMs / 1000} s`, 'connection_timeout'));
  }
}

/** The subprotocols that are offered: a token is never one of those the gateway names. */
export function offered(protocols: readonly string[] = [], token?: string): string[] {
  return token === undefined ? [...protocols] : [...protocols, 'bearer', token];
}
