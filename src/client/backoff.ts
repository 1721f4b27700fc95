/** How long to wait between attempts, so that clients of a gateway that restarts come back spread. */

export interface BackoffOptions {
  /** Milliseconds before the first further attempt, at the most; doubled with each. Absent: 500. */
  readonly firstMs?: number;
  /** Milliseconds it grows to. Absent: 30,000. */
  readonly mostMs?: number;
}

export class Backoff {
  readonly #firstMs: number;
  readonly #mostMs: number;
  #failures = 0;

  constructor({ firstMs = 500, mostMs = 30_000 }: BackoffOptions = {}) {
    this.#firstMs = firstMs;
    this.#mostMs = mostMs;
  }

  /** Milliseconds to wait now: anything up to the bound, for whoever waits the same time comes at the same time. */
  next(): number {
    const bound = Math.min(this.#mostMs, this.#firstMs * 2 ** this.#failures++);
    return Math.random() * bound;
  }

  /** It went well: the next failure is the first again. */
  reset(): void {
    this.#failures = 0;
  }
}

/** Resolves in so many milliseconds. Rejects with the signal's reason when it aborts. */
export function wait(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(finish, ms);
    const onAbort = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    function finish(): void {
      signal.removeEventListener('abort', onAbort);
      resolve();
    }
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
  });
}
