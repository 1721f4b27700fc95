import { createBackoff, wait } from '../../client/backoff.ts';
import { ConnectionError, type TcpConnection } from '../../client/index.ts';
import { saidWait } from './sentences.ts';

export interface Attempts {
  /** Milliseconds for which another attempt may begin, where one may help. */
  readonly retryMs: number;
  /** Ends them. */
  readonly signal: AbortSignal;
}

/**
 * Resolves with a connection that is open. Where that may help it is tried again, after a random time that grows, or the time that the
 * gateway has said, if that is longer. Rejects with the last failure.
 */
export async function opened(
  open: () => TcpConnection,
  { retryMs, signal }: Attempts,
): Promise<TcpConnection> {
  const until = performance.now() + retryMs;
  const backoff = createBackoff({ firstMs: 500, mostMs: 5_000 });
  for (;;) {
    const connection = open();
    try {
      await connection.opened;
      return connection;
    } catch (error) {
      const pauseMs = pauseAfter(error, backoff());
      if (pauseMs === undefined || performance.now() + pauseMs > until) throw error;
      await wait(pauseMs, signal);
      if (signal.aborted) throw error;
    }
  }
}

/** Undefined where nothing would change; who is told when to come again may come. */
function pauseAfter(error: unknown, pauseMs: number): number | undefined {
  if (!(error instanceof ConnectionError)) return undefined;
  const saidMs = saidWait(error);
  return error.mayRetry || saidMs > 0 ? Math.max(pauseMs, saidMs) : undefined;
}
