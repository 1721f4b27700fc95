import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { SMALL_BYTES, SocketReader } from './source.ts';
import { atTurnEnd, holdScratch } from './write-batch.ts';

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
  readonly #inlet = new SocketReader((chunk, isBorrowed) => this.#onRead(chunk, isBorrowed));
  readonly #options: FlowOptions;
  readonly #isTls: boolean;
  #waitingWrites: Buffer[] | undefined;
  /** The chunk at hand is large: it is written piece by piece as it is read. */
  #isLarge = false;
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
    this.#isTls = (sink as Partial<TLSSocket>).encrypted === true;
  }

  get paused(): boolean {
    return this.#full || this.#waiting !== undefined;
  }

  /** Begins to read; `head` is what had been read already. */
  start(head: Buffer = NOTHING): void {
    this.#sink.on('drain', () => this.#onDrain());
    if (head.length > 0) this.#offer(head);
    this.#inlet.open(this.#source);
    if (this.paused) this.#source.pause();
    else this.#source.resume();
  }

  /** Writes to the sink, at the end of the turn if it is little; stops reading the source while the sink is full. */
  write(bytes: Buffer): void {
    if (this.#sinkGone) return;
    if (this.#isLarge) {
      this.flush();
      if (!this.#sink.write(bytes)) this.#judge();
      return;
    }
    if (this.#waitingWrites === undefined) {
      this.#waitingWrites = [bytes];
      atTurnEnd(this);
    } else this.#waitingWrites.push(bytes);
  }

  /** Writes what waits for the end of the turn now. */
  flush(): void {
    const writes = this.#waitingWrites;
    this.#waitingWrites = undefined;
    if (writes === undefined || this.#sinkGone) return;
    const wasBusy = this.#sink.writableLength > 0;
    let isRoom = true;
    if (writes.length > 1) this.#sink.cork();
    // Behind others it would outlive the turn, and so must not lie in memory that the next one uses.
    for (const bytes of writes) isRoom = this.#sink.write(wasBusy ? Buffer.from(bytes) : bytes);
    if (writes.length > 1) this.#sink.uncork();
    if (!isRoom) this.#judge();
    // TLS has encrypted what it was given before `write` returns.
    if (!wasBusy && this.#sink.writableLength > 0 && !this.#isTls) holdScratch();
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

  #onRead(chunk: Buffer, isBorrowed: boolean): void {
    if (this.#stopped) return;
    if (this.paused) {
      // A stream may still hand over what it had read when it was paused.
      this.#rest = Buffer.concat([this.#rest ?? NOTHING, chunk]);
      return;
    }
    this.#isLarge = chunk.length > SMALL_BYTES;
    this.#offer(chunk);
    if (isBorrowed) this.#giveUp();
  }

  #offer(chunk: Buffer): void {
    const taken = this.#options.take(chunk);
    if (taken < chunk.length && !this.#stopped) this.#rest = chunk.subarray(taken);
  }

  /** The chunk just offered is read over next, unless it is kept: what is left of it must not lie there. */
  #giveUp(): void {
    if (this.#rest !== undefined) this.#rest = Buffer.from(this.#rest);
    if (!this.#isLarge || this.#sink.writableLength === 0 || this.#sinkGone) return;
    this.#inlet.keep();
    if (this.#full || this.#stopped) return;
    this.#onFull();
    // Not full enough for a 'drain' to follow; but writes finish in order, and this one has nothing to write.
    if (!this.#sink.writableNeedDrain) this.#sink.write(NOTHING, () => this.#onDrain());
  }

  /** A long write may have gone out whole at once: only what is left makes a sink full. */
  #judge(): void {
    if (this.#sink.writableLength > 0 && !this.#full && !this.#stopped) this.#onFull();
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
    this.#inlet.release();
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
      this.#offer(rest);
    }
    if (!this.paused && !this.#stopped) this.#source.resume();
  }
}
