import { asGatewayError, GatewayError, UpstreamAnswered } from '../errors.ts';

/** Tries targets in turn; `attempt` gets one of them and a signal that is the attempt's share of the deadline. */
export type Dialler<T> = <R>(
  signal: AbortSignal,
  attempt: (target: T, signal: AbortSignal) => Promise<R>,
) => Promise<R>;

/**
 * Round robin over the targets of a route: each dial begins with the next one, and goes on to the one after it when a
 * target cannot be reached. An upstream that answered has been reached: its answer ends the search.
 *
 * @param timeoutMs time for a whole dial, after which `signal` aborts; each of several targets gets its share, so that a
 *   silent one leaves time for the others
 * @returns a dialler that rejects with what a lone target's attempt rejected with, or NO_HEALTHY_UPSTREAM when every one
 *   of several failed
 */
export function createDialler<T>(targets: readonly T[], timeoutMs: number): Dialler<T> {
  let turn = 0;
  const shareMs = Math.ceil(timeoutMs / targets.length);

  return async function dial(signal, attempt) {
    const first = turn++;
    let failure: unknown;
    for (let i = 0; i < targets.length && !signal.aborted; i++) {
      const target = targets[(first + i) % targets.length] as T;
      try {
        // A lone target has all the time there is.
        return await (targets.length === 1
          ? attempt(target, signal)
          : within(shareMs, signal, target, attempt));
      } catch (error) {
        if (error instanceof UpstreamAnswered) throw error;
        failure = error;
      }
    }
    if (targets.length > 1) throw new GatewayError('NO_HEALTHY_UPSTREAM', { cause: failure });
    throw failure === undefined ? new GatewayError('UPSTREAM_TIMEOUT') : asGatewayError(failure);
  };
}

/** An attempt whose signal aborts after `ms`, or with `signal`. */
async function within<T, R>(
  ms: number,
  signal: AbortSignal,
  target: T,
  attempt: (target: T, signal: AbortSignal) => Promise<R>,
): Promise<R> {
  const controller = new AbortController();
  const abort = () => controller.abort();
  const timer = setTimeout(abort, ms);
  signal.addEventListener('abort', abort, { once: true });
  try {
    return await attempt(target, controller.signal);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', abort);
  }
}
