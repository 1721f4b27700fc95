import type { Duplex } from 'node:stream';

interface FlowOptions {
  /** Takes bytes as they come; returns how many. Taking fewer means that `pauseFor` was called. After each such wait the rest is offered again, be it empty. */
  readonly take: (chunk: Buffer) => number;
  /** The sink left our writes unread for `stallMs`. */
  readonly onStall: () => void;
  readonly stallMs: number;
}

const NOTHING = Buffer.alloc(0);

/**
 * One direction of a bridge: bytes read from `source` are handed to `take`, which writes what may go on with `write`.
 * While the sink is full, or `pauseFor` has not run out, the source is not read: what is in flight is bounded by one
 * chunk and the two sockets' buffers. A paused side cannot report its own death, so a full sink has a deadline.
 */
export class Flow {
  readonly #source: Duplex;
  readonly #sink: Duplex;
  readonly #options: FlowOptions;
  /** Taken from the source, not yet by `take`. */
  #rest: Buffer | undefined;
  #full = false;
  #waiting: NodeJS.Timeout | undefined;
  #fullSince = 0;
  #stallTimer: NodeJS.Timeout | undefined;
  #stopped = false;
  #sinkGone = false;
  /** The source was not read for a while since this was last set to false. */
  wasPaused = false;

  constructor(source: Duplex, sink: Duplex, options: FlowOptions) {
    this.#source = source;
    this.#sink = sink;
    this.#options = options;
  }

  get paused(): boolean {
    return this.#full || this.#waiting !== undefined;
  }

  /** Begins to read; `head` is what had been read already. */
  start(head: Buffer = NOTHING): void {
    this.#source.on('data', (chunk: Buffer) => this.#onData(chunk));
    this.#sink.on('drain', () => this.#onDrain());
    if (head.length > 0) this.#onData(head);
    if (!this.paused) this.#source.resume();
  }

  /** Writes to the sink, and stops reading the source while the sink is full. */
  write(bytes: Buffer): void {
    if (this.#sinkGone) return;
    if (!this.#sink.write(bytes) && !this.#full && !this.#stopped) this.#onFull();
  }

  /** Reads nothing for so many milliseconds. */
  pauseFor(ms: number): void {
    if (this.#stopped) return;
    clearTimeout(this.#waiting);
    this.#waiting = setTimeout(() => this.#onWaited(), ms);
    this.#pause();
  }

  /** The sink is gone: nothing is written to it any more, and its fullness no longer stops the reading. Idempotent. */
  dropSink(): void {
    this.#sinkGone = true;
    this.#full = false;
    this.#goOn();
  }

  /** From here on whatever the source still sends is read and dropped, so that its end is seen. Idempotent. */
  stop(): void {
    this.#stopped = true;
    this.#rest = undefined;
    clearTimeout(this.#waiting);
    clearTimeout(this.#stallTimer);
    this.#waiting = undefined;
    this.#full = false;
    this.#source.resume();
  }

  #onData(chunk: Buffer): void {
    if (this.#stopped) return;
    if (this.#rest !== undefined) {
      // A stream may still hand over what it had buffered when it was paused.
      this.#rest = Buffer.concat([this.#rest, chunk]);
      return;
    }
    const taken = this.#options.take(chunk);
    if (taken < chunk.length && !this.#stopped) this.#rest = chunk.subarray(taken);
  }

  #onFull(): void {
    this.#full = true;
    this.#fullSince = performance.now();
    this.#pause();
    // One timer for many pauses: it is not cleared by a drain, but looks when it fires.
    this.#stallTimer ??= setTimeout(() => this.#onStallTimer(), this.#options.stallMs);
  }

  #onStallTimer(): void {
    this.#stallTimer = undefined;
    if (!this.#full || this.#stopped) return;
    const left = this.#fullSince + this.#options.stallMs - performance.now();
    if (left <= 0) this.#options.onStall();
    else this.#stallTimer = setTimeout(() => this.#onStallTimer(), left);
  }

  #onDrain(): void {
    if (!this.#full) return;
    this.#full = false;
    this.#goOn();
  }

  #onWaited(): void {
    this.#waiting = undefined;
    // All bytes may have been taken but for a frame held back whole: it waits to be offered again.
    this.#rest ??= NOTHING;
    this.#goOn();
  }

  #pause(): void {
    this.wasPaused = true;
    this.#source.pause();
  }

  #goOn(): void {
    if (this.paused || this.#stopped) return;
    const rest = this.#rest;
    if (rest !== undefined) {
      this.#rest = undefined;
      this.#onData(rest);
    }
    if (!this.paused && !this.#stopped) this.#source.resume();
  }
}
