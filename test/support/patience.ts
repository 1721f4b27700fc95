/** Waits that say what they waited for, long before the test's own time is over. */

/** How long to wait for what comes about at once if all is well, in ms. */
export const PATIENCE_MS = 8_000;

const LATE = Symbol('late');

/** Settles as `promise` does. Rejects if that takes longer than `ms`, and names what did not come about. */
export async function within<T>(
  promise: PromiseLike<T>,
  what: string | (() => string),
  ms = PATIENCE_MS,
): Promise<T> {
  const late = Promise.withResolvers<typeof LATE>();
  const timer = setTimeout(() => late.resolve(LATE), ms).unref();
  try {
    const first = await Promise.race([promise, late.promise]);
    // Thrown here and not by the timer, so that the stack shows who has waited.
    if (first === LATE) throw tooLate(what, ms);
    return first;
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Resolves when the condition holds, for what tells nobody when it comes about: it is looked at every few milliseconds.
 * Rejects after `ms`, and names `what`, or shows the condition.
 */
export async function eventually(
  condition: () => boolean | Promise<boolean>,
  what: string | (() => string) = String(condition),
  ms = PATIENCE_MS,
): Promise<void> {
  const deadline = performance.now() + ms;
  while (!(await condition())) {
    if (performance.now() > deadline) throw tooLate(what, ms);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/** The error of a wait that was in vain; `what` is asked for only now, so that it may tell how things stand. */
export function tooLate(what: string | (() => string), ms: number): Error {
  return new Error(`${typeof what === 'string' ? what : what()}: not within ${ms / 1000} s`);
}
