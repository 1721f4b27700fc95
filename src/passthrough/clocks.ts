import type { Readable, Writable } from 'node:stream';

/** The deadlines that http-proxy does not have. Each returns its own undo, which may be called twice. */

export type StopClock = () => void;

/** Calls `onIdle` once when none of `sources` has brought a byte for `ms`; never for Infinity. It sets the sources flowing: pipe them on in the same tick. */
export function createIdleClock(ms: number, sources: readonly Readable[], onIdle: () => void): StopClock {
  if (ms === Infinity) return none;
  const timer = setTimeout(onIdle, ms);
  function onData(): void {
    timer.refresh();
  }
  for (const source of sources) source.on('data', onData);
  return function stop() {
    clearTimeout(timer);
    for (const source of sources) source.off('data', onData);
  };
}

/** Calls `onStall` once when `sink` has left what came from `source` unread for `ms`. Start it after `source.pipe(sink)`. */
export function createStallClock(
  ms: number,
  source: Readable,
  sink: Writable,
  onStall: () => void,
): StopClock {
  let timer: NodeJS.Timeout | undefined;
  function onData(): void {
    if (sink.writableNeedDrain) timer ??= setTimeout(onStall, ms);
  }
  function onDrain(): void {
    clearTimeout(timer);
    timer = undefined;
  }
  onData();
  source.on('data', onData);
  sink.on('drain', onDrain);
  return function stop() {
    onDrain();
    source.off('data', onData);
    sink.off('drain', onDrain);
  };
}

/** Calls `onStall` once, unless it is stopped, when `sink`, which has been ended, has something left to send and `ms` have passed. */
export function createTailClock(ms: number, sink: Writable, onStall: () => void): StopClock {
  if (sink.writableLength === 0) return none;
  const timer = setTimeout(onStall, ms);
  return () => clearTimeout(timer);
}

/** At least `min` bytes in each `per` milliseconds. */
export interface Pace {
  readonly min: number;
  readonly per: number;
}

/**
 * Calls `onSlow` once when `source` has brought less than the pace asks for, though `sink` would have taken it the whole
 * time. Start it after `source.pipe(sink)`.
 */
export function createPaceClock(
  { min, per }: Pace,
  source: Readable,
  sink: Writable,
  onSlow: () => void,
): StopClock {
  let bytes = 0;
  let hasWaited = false;
  function onData(chunk: Buffer): void {
    bytes += chunk.length;
    if (sink.writableNeedDrain) hasWaited = true;
  }
  const timer = setInterval(function look() {
    const isSlow = bytes < min && !hasWaited;
    bytes = 0;
    hasWaited = sink.writableNeedDrain;
    if (isSlow) onSlow();
  }, per);
  source.on('data', onData);
  return function stop() {
    clearInterval(timer);
    source.off('data', onData);
  };
}

function none(): void {}
