/** How many bytes of a log may wait for its reader. */
export const MAX_QUEUED = 1024 * 1024;

/** Lines on their way out. It never throws, never waits and never holds more than `MAX_QUEUED`: it drops instead. */
export interface LineQueue {
  /** Takes in `line`, which ends in a newline. */
  write(line: string): void;
  /** Calls `done` when all lines taken in so far are written or dropped, after `withinMs` at the latest. */
  flush(withinMs: number, done: () => void): void;
}
