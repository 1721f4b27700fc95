import { randomInt } from 'node:crypto';
import { type CloseStatus, closePayload } from '../frames/close.ts';
import { CLOSE, PING, PONG } from '../frames/opcodes.ts';
import type { FrameReader } from '../frames/reader.ts';
import { frame } from '../frames/writer.ts';
import type { Sink } from '../stream/sink.ts';

/**
 * Writes the gateway's own frames to a WebSocket peer. Where another peer's frames pass through the same sink as they come,
 * ours wait for the end of one: control frames may stand between two frames, not within one (RFC 6455 §5.4).
 */
export class ControlWriter {
  readonly #sink: Sink;
  readonly #isMasked: boolean;
  /** Whose frames pass through; undefined where only whole frames are written. */
  #passing: FrameReader | undefined;
  #waitingPing: { readonly payload: Buffer; readonly onLeft: () => void } | undefined;
  #waitingClose: CloseStatus | undefined;
  /** A Close is out: nothing is written after it (RFC 6455 §5.5.1). */
  isClosed = false;

  /** Frames to an upstream are masked with an unpredictable key, frames to a client are not (RFC 6455 §5.1, §5.3). */
  constructor(sink: Sink, isMasked: boolean) {
    this.#sink = sink;
    this.#isMasked = isMasked;
  }

  /** From now on the frames that `reader` reads pass through the sink. */
  standBetween(reader: FrameReader): void {
    this.#passing = reader;
  }

  /** A Close is out, or waits. */
  get isClosing(): boolean {
    return this.isClosed || this.#waitingClose !== undefined;
  }

  /** Sends a ping, and calls `onLeft` once it has left this process. */
  ping(payload: Buffer, onLeft: () => void): void {
    this.#waitingPing = { payload, onLeft };
    this.#writeWaiting();
  }

  get isPingWaiting(): boolean {
    return this.#waitingPing !== undefined;
  }

  /** Answers a ping, unless the peer does not read: the answers would pile up (RFC 6455 §5.5.3 lets us skip some). */
  pong(payload: Buffer): void {
    if (!this.isClosed && !this.#sink.isFull) this.#write(PONG, payload);
  }

  /** Sends a Close; the first call counts. */
  close(status: CloseStatus): void {
    if (this.isClosing) return;
    this.#waitingClose = status;
    this.#writeWaiting();
  }

  /** The stream stands between two frames, as was asked for: what waited is written. Returns true if it was a Close. */
  onBoundary(): boolean {
    const isClosing = this.#waitingClose !== undefined;
    this.#writeWaiting();
    return isClosing;
  }

  #writeWaiting(): void {
    if (this.#passing !== undefined && this.#passing.remaining > 0) {
      this.#passing.interrupt = true;
      return;
    }
    this.#writePing();
    this.#writeClose();
  }

  #writePing(): void {
    const ping = this.#waitingPing;
    this.#waitingPing = undefined;
    if (ping === undefined || this.isClosed) return;
    this.#write(PING, ping.payload);
    this.#sink.whenOut(ping.onLeft);
  }

  #writeClose(): void {
    const close = this.#waitingClose;
    this.#waitingClose = undefined;
    if (close === undefined) return;
    this.#write(CLOSE, closePayload(close.code, close.reason));
    this.isClosed = true;
  }

  #write(opcode: number, payload: Buffer): void {
    this.#sink.write(frame(opcode, payload, this.#isMasked ? randomInt(2 ** 32) : undefined));
  }
}
