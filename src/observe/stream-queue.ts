import type { Writable } from 'node:stream';
import type { DroppedLines } from './dropped-lines.ts';
import { type LineQueue, MAX_QUEUED } from './line-queue.ts';

/** Lines on their way into a stream, which gets each of them at once. */
export class StreamQueue implements LineQueue {
  readonly #stream: Writable;
  readonly #dropped: DroppedLines;

  constructor(stream: Writable, dropped: DroppedLines) {
    this.#stream = stream;
    this.#dropped = dropped;
    // Loggers may share a stream, and one listener is enough for all of them.
    stream.off('error', ignore).on('error', ignore);
  }

  write(line: string): void {
    const isFull = this.#stream.writableLength + Buffer.byteLength(line) > MAX_QUEUED;
    if (isFull) this.#dropped.add(1);
    else this.#stream.write(line, this.#onWritten);
  }

  flush(withinMs: number, done: () => void): void {
    const { promise: flushed, resolve } = Promise.withResolvers<void>();
    const deadline = setTimeout(resolve, withinMs);
    this.#stream.write('', () => resolve());
    void flushed.then(function onFlushed() {
      clearTimeout(deadline);
      done();
    });
  }

  readonly #onWritten = (error: Error | null | undefined): void => {
    if (error) this.#dropped.add(1);
  };
}

/** An error that nobody listens to would end the process; every write that fails is told of it besides. */
function ignore(): void {}
