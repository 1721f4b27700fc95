import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { atTurnEnd, holdScratch } from './write-batch.ts';

export interface SinkOptions {
  /** Milliseconds the peer may leave our writes unread. */
  readonly stallMs: number;
  /** It has left them unread for that long. */
  readonly onStall: () => void;
}

/** Who fills a sink, and stops while it is full. */
export interface Feeder {
  onFull(): void;
  /** It is not full any more. */
  onRoom(): void;
  /** All that was written is out, whether or not it was too much; comes before `onRoom`. */
  onDrain(): void;
}

const NOTHING = Buffer.alloc(0);

/**
 * The one writer of a socket: data, pings, pongs and Close go through it, in their order. What is little is written at
 * the end of the turn. While the socket has not taken all of it the sink is full, which has a deadline: a peer that is
 * not read from cannot report its own death.
 *
 *     open ⇄ full → dropped (its socket is gone: nothing is written any more)
 */
export class Sink {
  readonly #socket: Duplex;
  readonly #options: SinkOptions;
  readonly #isTls: boolean;
  #feeder: Feeder | undefined;
  #waiting: Buffer[] | undefined;
  /** What is written lies in memory that the next read uses: it is written at once, piece by piece. */
  writesAtOnce = false;
  isFull = false;
  #isDropped = false;
  #fullSince = 0;
  #stallTimer: NodeJS.Timeout | undefined;
  /** `performance.now()` when it was last full. */
  #fullUntil = Number.NEGATIVE_INFINITY;

  constructor(socket: Duplex, options: SinkOptions) {
    this.#socket = socket;
    this.#options = options;
    this.#isTls = (socket as Partial<TLSSocket>).encrypted === true;
    socket.on('drain', () => this.#onDrain());
  }

  fedBy(feeder: Feeder): void {
    this.#feeder = feeder;
  }

  /** Something may still be written. */
  get isOpen(): boolean {
    return !this.#isDropped;
  }

  /** Some of what was written has not been taken. */
  get isBusy(): boolean {
    return this.#socket.writableLength > 0 && !this.#socket.destroyed;
  }

  /** `performance.now()` when it was full last: now, while it is. */
  get fullUntil(): number {
    return this.isFull ? performance.now() : this.#fullUntil;
  }

  /** Writes, at the end of the turn if it is little. */
  write(bytes: Buffer): void {
    if (this.#isDropped) return;
    if (this.writesAtOnce) {
      this.flush();
      if (!this.#socket.write(bytes)) this.#judge();
      return;
    }
    if (this.#waiting === undefined) {
      this.#waiting = [bytes];
      atTurnEnd(this);
    } else this.#waiting.push(bytes);
  }

  /** Writes what waits for the end of the turn now. */
  flush(): void {
    const writes = this.#waiting;
    this.#waiting = undefined;
    if (writes === undefined) return;
    const socket = this.#socket;
    const wasBusy = socket.writableLength > 0;
    let isRoom = true;
    if (writes.length > 1) socket.cork();
    // Behind others it would outlive the turn, and so must not lie in memory that the next one uses.
    for (const bytes of writes) isRoom = socket.write(wasBusy ? Buffer.from(bytes) : bytes);
    if (writes.length > 1) socket.uncork();
    if (!isRoom) this.#judge();
    // TLS has encrypted what it was given before `write` returns.
    if (!wasBusy && socket.writableLength > 0 && !this.#isTls) holdScratch();
  }

  /** Full until all that was written is out, however little that is. */
  fillUp(): void {
    if (this.isFull || this.#isDropped) return;
    this.#becomeFull();
    // Too little for a 'drain' to follow; but writes finish in order, and this one has nothing to write.
    if (!this.#socket.writableNeedDrain) this.#socket.write(NOTHING, () => this.#onDrain());
  }

  /** Calls `then` once what was written has left this process, at once if it has; with an error if it never will. */
  whenOut(then: (error?: Error | null) => void): void {
    this.flush();
    if (this.#socket.writableLength === 0) then();
    else this.#socket.write(NOTHING, then);
  }

  /** Some of what was written has been taken, though it is still full: its deadline begins anew. */
  progressed(): void {
    if (this.isFull) this.#fullSince = performance.now();
  }

  /** Nothing is written any more, and nobody is stopped. What has been written still goes out. Idempotent. */
  drop(): void {
    this.#isDropped = true;
    this.#waiting = undefined;
    clearTimeout(this.#stallTimer);
    this.#stallTimer = undefined;
    this.#hasRoom();
  }

  /**
   * Half-closes the socket: a FIN behind what was written, which still has its deadline. Nothing may be written after it. Calls
   * `then` once it is out, or never will be.
   */
  finish(then: () => void): void {
    this.flush();
    // An ended stream emits no 'drain'.
    this.#socket.end(() => {
      this.#hasRoom();
      then();
    });
  }

  /** Ends the socket behind what was written: a FIN, once that is out. Whoever calls it has a deadline of their own. */
  end(): void {
    this.flush();
    this.#socket.end();
    this.drop();
  }

  /**
   * Destroys the socket, which has been ended, `graceMs` after its FIN is out: nothing more is read from it. What it still
   * has to be read makes that a reset, which can take our last word with it: so long the peer has to read it first.
   */
  destroyWhenOut(graceMs: number): void {
    const socket = this.#socket;
    function onOut(): void {
      if (graceMs === 0) {
        socket.destroy();
        return;
      }
      const timer = setTimeout(() => socket.destroy(), graceMs);
      socket.once('close', () => clearTimeout(timer));
    }
    if (socket.writableFinished) onOut();
    else socket.once('finish', onOut);
  }

  /** A long write may have gone out whole at once: only what is left makes a sink full. */
  #judge(): void {
    if (this.#socket.writableLength > 0 && !this.isFull) this.#becomeFull();
  }

  #becomeFull(): void {
    this.isFull = true;
    this.#fullSince = performance.now();
    this.#feeder?.onFull();
    // One timer for many pauses: it is not cleared by a drain, but looks when it fires.
    this.#stallTimer ??= setTimeout(() => this.#onStallTimer(), this.#options.stallMs);
  }

  #onStallTimer(): void {
    this.#stallTimer = undefined;
    if (!this.isFull) return;
    const left = this.#fullSince + this.#options.stallMs - performance.now();
    if (left <= 0) this.#options.onStall();
    else this.#stallTimer = setTimeout(() => this.#onStallTimer(), left);
  }

  #onDrain(): void {
    this.#feeder?.onDrain();
    this.#hasRoom();
  }

  #hasRoom(): void {
    if (!this.isFull) return;
    this.isFull = false;
    this.#fullUntil = performance.now();
    this.#feeder?.onRoom();
  }
}
