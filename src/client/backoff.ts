/** How long to wait between attempts, so that clients of a gateway that restarts come back spread. */

export interface BackoffOptions {
  /** Milliseconds before the first further attempt, at the most; doubled with each. Absent: 1,000. */
  readonly firstMs?: number;
  /** Milliseconds it grows to. Absent: 30,000. */
  readonly mostMs?: number;
}

/** Milliseconds to wait, at each call: anything up to the bound, for whoever waits the same time comes at the same time. */
export type Backoff = () => number;

export function createBackoff({ firstMs = 1_000, mostMs = 30_000 }: BackoffOptions = {}): Backoff {
  let failures = 0;
  return () => Math.random() * Math.min(mostMs, firstMs * 2 ** failures++);
}

/** Resolves in so many milliseconds, or when the signal aborts. */
export function wait(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(finish, ms);
    signal.addEventListener('abort', finish);
    if (signal.aborted) finish();
    function finish(): void {
      clearTimeout(timer);
      signal.removeEventListener('abort', finish);
      resolve();
    }
  });
}
