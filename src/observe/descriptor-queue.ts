import { write } from 'node:fs';
import type { DroppedLines } from './dropped-lines.ts';
import { type LineQueue, MAX_QUEUED } from './line-queue.ts';

/** A write a line would cost more than making the line. */
const GATHER_CHARACTERS = 64 * 1024;
const GATHER_MS = 200;

/** How soon a reader that is behind is tried again, and how long it is left alone at most if it takes nothing. */
const RETRY_MS = 5;
const RETRY_MAX_MS = 160;

const NEWLINE = 0x0a;
const NOTHING = Buffer.alloc(0);

/**
 * Lines on their way to a file descriptor: gathered, and written off the event loop, one write at a time. A reader that
 * is behind is waited for. The lines of a write that fails (disk full, reader gone) are dropped; later ones are tried.
 */
export class DescriptorQueue implements LineQueue {
  readonly #dropped: DroppedLines;
  readonly #mostAtOnce: number;
  #descriptor: number;
  /** Takes the place of the descriptor when the write under way is over, and tells of the one that is left then. */
  #next: { readonly descriptor: number; readonly leave: (descriptor: number) => void } | undefined;

  #gathered = '';
  #timer: NodeJS.Timeout | undefined;

  /** What is left of the write under way. */
  #chunk = NOTHING;
  #isWriting = false;
  /** The last byte written is not the end of a line. */
  #isTorn = false;
  #retryMs = RETRY_MS;

  /** Bytes taken in since the start: all, up to the end of the chunk, and those no more in memory. */
  #accepted = 0;
  #chunkEnd = 0;
  #settled = 0;
  #flushes: { readonly upTo: number; readonly finish: () => void }[] = [];

  /** No more than `mostAtOnce` bytes are written at once, unless a line is longer; absent: all there is. */
  constructor(descriptor: number, dropped: DroppedLines, mostAtOnce = Infinity) {
    this.#descriptor = descriptor;
    this.#dropped = dropped;
    this.#mostAtOnce = mostAtOnce;
  }

  write(line: string): void {
    const bytes = Buffer.byteLength(line);
    if (this.#accepted - this.#settled + bytes > MAX_QUEUED) {
      this.#dropped.add(1);
      return;
    }
    this.#accepted += bytes;
    this.#gathered += line;
    this.#schedule();
  }

  flush(withinMs: number, done: () => void): void {
    const deadline = setTimeout(() => this.#dropAll(), withinMs);
    function finish(): void {
      clearTimeout(deadline);
      done();
    }
    this.#flushes.push({ upTo: this.#accepted, finish });
    this.#writeGathered();
    this.#endFlushes();
  }

  /**
   * Lines that are not being written yet go to `descriptor` from now on. Resolves with the one that is not used any more,
   * for the caller to close; a line that has been begun there is ended there.
   */
  redirect(descriptor: number): Promise<number> {
    return new Promise((leave) => {
      // The one before has not come to its turn.
      this.#next?.leave(this.#next.descriptor);
      this.#next = { descriptor, leave };
      if (!this.#isWriting) this.#turn();
    });
  }

  #turn(): void {
    if (this.#next === undefined) return;
    const { descriptor, leave } = this.#next;
    this.#next = undefined;
    leave(this.#descriptor);
    this.#descriptor = descriptor;
    this.#isTorn = false;
  }

  #schedule(): void {
    const isDue = this.#gathered.length >= GATHER_CHARACTERS || this.#flushes.length > 0;
    if (isDue) this.#writeGathered();
    else if (this.#gathered !== '') this.#timer ??= setTimeout(() => this.#writeGathered(), GATHER_MS);
  }

  #writeGathered(): void {
    if (this.#isWriting || this.#gathered === '') return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    // The rest of a torn line is gone; the next one must not go with it.
    this.#chunk = Buffer.from(this.#isTorn ? `\n${this.#gathered}` : this.#gathered);
    this.#chunkEnd = this.#accepted;
    this.#gathered = '';
    this.#isWriting = true;
    this.#writeChunk();
  }

  readonly #writeChunk = (): void => {
    write(this.#descriptor, this.#chunk.subarray(0, this.#endOfPiece()), this.#onWritten);
  };

  /** Whole lines, if they are not longer. */
  #endOfPiece(): number {
    if (this.#chunk.length <= this.#mostAtOnce) return this.#chunk.length;
    const before = this.#chunk.lastIndexOf(NEWLINE, this.#mostAtOnce - 1);
    return 1 + (before < 0 ? this.#chunk.indexOf(NEWLINE) : before);
  }

  readonly #onWritten = (error: NodeJS.ErrnoException | null, bytes: number): void => {
    if (error?.code === 'EAGAIN') {
      this.#retry();
      return;
    }
    if (error === null) this.#advance(bytes);
    else this.#dropChunk();
    if (this.#chunk.length > 0) this.#writeChunk();
    else this.#onChunkEnd();
  };

  #retry(): void {
    // A reader that never comes back must not keep a process from its end.
    setTimeout(this.#writeChunk, this.#retryMs).unref();
    this.#retryMs = Math.min(2 * this.#retryMs, RETRY_MAX_MS);
  }

  #onChunkEnd(): void {
    this.#chunk = NOTHING;
    this.#isWriting = false;
    this.#settled = this.#chunkEnd;
    this.#turn();
    this.#endFlushes();
    this.#schedule();
  }

  #advance(bytes: number): void {
    if (bytes > 0) this.#isTorn = this.#chunk[bytes - 1] !== NEWLINE;
    this.#chunk = this.#chunk.subarray(bytes);
    this.#retryMs = RETRY_MS;
  }

  #dropChunk(): void {
    this.#dropped.add(linesIn(this.#chunk));
    this.#chunk = NOTHING;
  }

  #dropAll(): void {
    this.#dropChunk();
    this.#dropped.add(linesIn(Buffer.from(this.#gathered)));
    this.#gathered = '';
    this.#chunkEnd = this.#accepted;
    this.#settled = this.#accepted;
    this.#endFlushes();
  }

  #endFlushes(): void {
    const ended = this.#flushes.filter(({ upTo }) => upTo <= this.#settled);
    this.#flushes = this.#flushes.filter(({ upTo }) => upTo > this.#settled);
    for (const { finish } of ended) finish();
  }
}

/** How many lines end in `text`. A newline at its very start ends one that has been written. */
function linesIn(text: Buffer): number {
  let lines = 0;
  for (let at = text.indexOf(NEWLINE, 1); at >= 0; at = text.indexOf(NEWLINE, at + 1)) lines += 1;
  return lines;
}
