import type { Duplex } from 'node:stream';
import { SMALL_BYTES, SocketReader } from './read-buffers.ts';
import type { Feeder, Sink } from './sink.ts';

/** Takes bytes as they come; returns how many. The rest is offered again, be it empty, when the source goes on after a pause. */
export type Take = (chunk: Buffer) => number;

const NOTHING = Buffer.alloc(0);

/**
 * What a socket sends, handed on as it comes. It is not read while the sink that it feeds is full, while somebody holds
 * it, or while a limit has it wait: what is in flight is bounded by one chunk and the sockets' buffers.
 *
 *     flowing ⇄ paused → discarding (what comes is dropped, so that the end is seen) → cut (nothing is read)
 */
export class Source implements Feeder {
  readonly #socket: Duplex;
  readonly #take: Take;
  readonly #reader = new SocketReader((chunk, isBorrowed) => this.#onRead(chunk, isBorrowed));
  #sink: Sink | undefined;
  /** Taken from the socket, not yet by `take`. */
  #rest: Buffer | undefined;
  /** A full sink does not stop it. */
  #goesOn = false;
  #isFull = false;
  #isHeld = false;
  #waiting: NodeJS.Timeout | undefined;
  #isDiscarding = false;
  /** Bytes that may still be read, where that is limited. */
  #left: number | undefined;
  #onCut: (() => void) | undefined;
  /** Bytes read so far. */
  received = 0;
  /** It was not read for a while since this was last set to false. */
  wasPaused = false;

  constructor(socket: Duplex, take: Take) {
    this.#socket = socket;
    this.#take = take;
  }

  /**
   * What is taken is written to `sink`: while that is full, nothing is read. With `goesOn` it is read all the same, for something
   * else bounds it: what `take` writes to a sink that is busy must then be a copy.
   */
  feed(sink: Sink, goesOn = false): void {
    this.#sink = sink;
    this.#goesOn = goesOn;
    sink.fedBy(this);
  }

  get isPaused(): boolean {
    return this.#isFull || this.#isHeld || this.#waiting !== undefined;
  }

  /** All that was read has been taken. */
  get isEmpty(): boolean {
    return this.#rest === undefined;
  }

  /** Begins to read; `head` is what had been read already. */
  start(head: Buffer = NOTHING): void {
    if (head.length > 0) this.#offer(head);
    this.#reader.open(this.#socket);
    if (this.isPaused) this.#socket.pause();
    else this.#socket.resume();
  }

  /** Reads nothing until `release`; `take` may have taken less than it was offered. */
  hold(): void {
    if (this.#isDiscarding) return;
    this.#isHeld = true;
    this.#pause();
  }

  release(): void {
    if (!this.#isHeld) return;
    this.#isHeld = false;
    this.#offerAgain();
  }

  /** Reads nothing for so many milliseconds. */
  pauseFor(ms: number): void {
    if (this.#isDiscarding) return;
    clearTimeout(this.#waiting);
    this.#waiting = setTimeout(() => this.#onWaited(), ms);
    this.#pause();
  }

  /** From now on at most `bytes` are read, without a wait; beyond that nothing, and `onCut` is called. */
  limit(bytes: number, onCut: () => void): void {
    this.#left ??= bytes;
    this.#onCut = onCut;
    if (this.#waiting === undefined) return;
    clearTimeout(this.#waiting);
    this.#onWaited();
  }

  /** From now on what still comes is read and dropped, so that its end is seen. Idempotent. */
  discard(): void {
    this.#isDiscarding = true;
    this.#rest = undefined;
    this.#isFull = false;
    this.#isHeld = false;
    clearTimeout(this.#waiting);
    this.#waiting = undefined;
    if (this.#left === undefined || this.#left > 0) this.#socket.resume();
  }

  onFull(): void {
    if (this.#isDiscarding || this.#goesOn) return;
    this.#isFull = true;
    this.#pause();
  }

  onRoom(): void {
    if (!this.#isFull) return;
    this.#isFull = false;
    this.#goOn();
  }

  onDrain(): void {
    this.#reader.release();
  }

  #onRead(chunk: Buffer, isBorrowed: boolean): void {
    this.received += chunk.length;
    if (this.#left !== undefined && !this.#spend(chunk.length)) return;
    if (this.#isDiscarding) return;
    if (this.isPaused) {
      // A stream may still hand over what it had read when it was paused.
      this.#rest = Buffer.concat([this.#rest ?? NOTHING, chunk]);
      return;
    }
    const sink = this.#sink?.isOpen ? this.#sink : undefined;
    const isLarge = chunk.length > SMALL_BYTES;
    const isCopied = this.#goesOn && sink?.isBusy === true;
    if (sink !== undefined) sink.writesAtOnce = isLarge;
    this.#offer(chunk);
    if (isBorrowed) this.#giveUp(isLarge && !isCopied ? sink : undefined);
  }

  /** False if nothing may be read any more. */
  #spend(bytes: number): boolean {
    const left = this.#left as number;
    this.#left = left - bytes;
    if (this.#left > 0) return true;
    this.#socket.pause();
    if (left > 0) this.#onCut?.();
    return false;
  }

  #offer(chunk: Buffer): void {
    const taken = this.#take(chunk);
    if (taken < chunk.length && !this.#isDiscarding) this.#rest = chunk.subarray(taken);
  }

  /** The chunk just offered is read over next: what is left of it must not lie there, nor what `sink` may have of it. */
  #giveUp(sink: Sink | undefined): void {
    if (this.#rest !== undefined) this.#rest = Buffer.from(this.#rest);
    if (!sink?.isBusy) return;
    this.#reader.keep();
    if (!this.#isDiscarding) sink.fillUp();
  }

  #onWaited(): void {
    this.#waiting = undefined;
    this.#offerAgain();
  }

  /** All bytes may have been taken but for a frame held back whole: it waits to be offered again. */
  #offerAgain(): void {
    this.#rest ??= NOTHING;
    this.#goOn();
  }

  #pause(): void {
    this.wasPaused = true;
    this.#socket.pause();
  }

  #goOn(): void {
    if (this.isPaused || this.#isDiscarding) return;
    const rest = this.#rest;
    if (rest !== undefined) {
      this.#rest = undefined;
      this.#offer(rest);
    }
    if (!this.isPaused && !this.#isDiscarding && (this.#left === undefined || this.#left > 0))
      this.#socket.resume();
  }
}
