/** Small: what a stalled connection keeps from being used again is one of these. */
const SCRATCH_BYTES = 32 * 1024;

/** With thousands of sockets readable in one turn, the first to be read need not wait for the last. */
const MAX_WAITING = 64;

let memory = Buffer.allocUnsafeSlow(SCRATCH_BYTES);
let used = 0;
let isHeld = false;
let waiting: Flushing[] = [];

/** Whoever has writes that wait for the end of the turn. */
export interface Flushing {
  flush(): void;
}

/**
 * Room for a chunk of `count` bytes, at most 32 KiB, that is valid until the end of this turn of the event loop: one
 * piece of memory, used again every turn, instead of garbage for every message.
 */
export function scratch(count: number): Buffer {
  if (used + count > SCRATCH_BYTES || waiting.length >= MAX_WAITING) endTurn();
  const room = memory.subarray(used, used + count);
  used += count;
  return room;
}

/** What `scratch` gave in this turn is still in use when the turn ends: it is left to whoever uses it. */
export function holdScratch(): void {
  isHeld = true;
}

/**
 * Has `flush` called when all sockets that were readable in this turn of the event loop have been read. Written right
 * behind each read, a small message would find its reader asleep and have to wake it, every single time.
 */
export function atTurnEnd(writer: Flushing): void {
  if (waiting.length === 0) setImmediate(endTurn);
  waiting.push(writer);
}

function endTurn(): void {
  const writers = waiting;
  waiting = [];
  for (const writer of writers) writer.flush();
  if (isHeld) memory = Buffer.allocUnsafeSlow(SCRATCH_BYTES);
  isHeld = false;
  used = 0;
}
