/** So long at most who comes behind a long act waits for the next. */
const LONGEST_REST_MS = 500;
/** Of all time an act that is asked for again and again takes a fifth. */
const REST = 4;

/**
 * An act that may be asked for many times in a row: it comes in the same turn of the event loop, once for all who ask by then, and
 * where it has taken long, others have their turns before it comes again. `now` is milliseconds of a clock that never jumps.
 */
export function paced(act: () => void, now: () => number = () => performance.now()): () => void {
  let isWaiting = false;
  let restUntil = 0;
  return function later() {
    if (isWaiting) return;
    isWaiting = true;
    const rest = restUntil - now();
    if (rest > 0) setTimeout(run, rest).unref();
    else setImmediate(run);
  };

  function run(): void {
    isWaiting = false;
    const begun = now();
    act();
    const ended = now();
    restUntil = ended + Math.min(LONGEST_REST_MS, REST * (ended - begun));
  }
}
