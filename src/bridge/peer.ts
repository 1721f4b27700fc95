import { randomBytes, randomInt } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { GatewayError } from '../errors.ts';
import { type CloseStatus, closePayload, readClose } from '../frames/close.ts';
import type { ReaderOptions } from '../frames/header.ts';
import { CLOSE, PING, PONG } from '../frames/opcodes.ts';
import { CUT, type FrameAction, type FrameHandler, FrameReader, type Violation } from '../frames/reader.ts';
import { frame } from '../frames/writer.ts';
import type { Flow } from '../stream/flow.ts';

/** What a bridge hears from a side. */
export interface SideEvents {
  /** A legal Close came; it is the last frame of this side. */
  onClose(side: Side, status: CloseStatus): void;
  /** The peer broke the protocol; nothing more is read from it. */
  onViolation(side: Side, error: GatewayError): void;
  /** A Close that had to wait for the end of a frame has gone out. */
  onCloseSent(): void;
}

/**
 * One WebSocket peer of a bridge: reads what it sends frame by frame, and slips the gateway's own pings and Close in
 * between the frames that go to it. What happens to data frames and foreign pings is the subclass's business.
 */
export abstract class Side implements FrameHandler {
  readonly name: 'client' | 'upstream';
  readonly socket: Duplex;
  readonly reader: FrameReader;
  readonly #events: SideEvents;
  /** The flow that ends in this side's socket: all that is sent to the peer goes through it. */
  out!: Flow;
  /** Bytes the peer has sent since the bridge was joined. */
  received = 0;
  /** `performance.now()` when the chunk at hand came: the clock is read once for all its messages. */
  protected arrivedAt = 0;
  closeReceived = false;
  closeSent = false;
  /** Its socket can give us nothing more: FIN, reset or destroyed. */
  gone = false;
  /** The peer broke the protocol: no Close is to be expected from it. */
  violated = false;
  #waitingClose: { code: number; reason: string } | undefined;
  #waitingPing = false;
  #pingPayload: Buffer | undefined;

  constructor(
    name: 'client' | 'upstream',
    socket: Duplex,
    options: Omit<ReaderOptions, 'masked' | 'maxFragments'>,
    events: SideEvents,
  ) {
    this.name = name;
    this.socket = socket;
    this.reader = new FrameReader({ ...options, maxFragments: Infinity, masked: name === 'client' }, this);
    this.#events = events;
  }

  abstract frame(reader: FrameReader): FrameAction;
  abstract payload(bytes: Buffer, from: number, to: number, reader: FrameReader): void;
  abstract raw(bytes: Buffer, from: number, to: number): void;
  /** A ping, or a pong that does not answer one of ours. */
  protected abstract heartbeat(opcode: number, payload: Buffer): FrameAction;
  /** The stream towards the peer stands between two frames. */
  protected abstract atBoundary(): boolean;
  /** `flushWaiting` is to be called when it next does. */
  protected abstract askBoundary(): void;
  /** The stream from the peer stands between two frames, as `reader.interrupt` asked. */
  abstract boundary(): void;

  /** Reads the frames of a chunk; returns how many bytes were taken. Throws what a limit throws. */
  read(chunk: Buffer): number {
    this.received += chunk.length;
    this.arrivedAt = performance.now();
    return this.reader.push(chunk);
  }

  /** Nothing more is expected from this peer. */
  get finished(): boolean {
    return this.gone || this.closeReceived || this.violated;
  }

  /** All we have to say to this peer has been said, or cannot be. */
  get told(): boolean {
    return this.closeSent || this.gone;
  }

  control(opcode: number, payload: Buffer): FrameAction {
    if (opcode === PONG && this.#pingPayload?.equals(payload)) {
      this.#pingPayload = undefined;
      return CUT;
    }
    if (opcode !== CLOSE) return this.heartbeat(opcode, payload);
    this.closeReceived = true;
    // The reader has judged it; the bridge sends its own in its place.
    this.#events.onClose(this, readClose(payload) as CloseStatus);
    return CUT;
  }

  violation(violation: Violation, detail: string): void {
    this.violated = true;
    this.#events.onViolation(this, new GatewayError(violation, { detail: `${this.name}: ${detail}` }));
  }

  /** Sends a ping with a payload of our own, at the next boundary. */
  sendPing(): void {
    if (this.told) return;
    if (!this.atBoundary()) {
      this.#waitingPing = true;
      this.askBoundary();
      return;
    }
    this.#pingPayload = randomBytes(8);
    this.#send(PING, this.#pingPayload);
  }

  /** Sends a Close at the next boundary; the first call counts, and nothing is sent after it (RFC 6455 §5.5.1). */
  sendClose(code: number, reason: string): void {
    if (this.told || this.#waitingClose !== undefined) return;
    if (!this.atBoundary()) {
      this.#waitingClose = { code, reason };
      this.askBoundary();
      return;
    }
    this.#send(CLOSE, closePayload(code, reason));
    this.closeSent = true;
  }

  /** Sends what waited for a boundary. */
  flushWaiting(): void {
    const close = this.#waitingClose;
    this.#waitingClose = undefined;
    if (close !== undefined) {
      this.sendClose(close.code, close.reason);
      this.#events.onCloseSent();
      return;
    }
    if (this.#waitingPing) this.sendPing();
    this.#waitingPing = false;
  }

  /** Answers a ping; the caller sees to it that answers cannot pile up. */
  protected sendPong(payload: Buffer): void {
    if (!this.told) this.#send(PONG, payload);
  }

  /** Frames to an upstream are masked with an unpredictable key, frames to a client are not (RFC 6455 §5.1, §5.3). */
  #send(opcode: number, payload: Buffer): void {
    this.out.write(frame(opcode, payload, this.name === 'upstream' ? randomInt(2 ** 32) : undefined));
  }
}
