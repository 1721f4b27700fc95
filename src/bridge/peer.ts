import { randomBytes, randomInt } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { asGatewayError, GatewayError } from '../errors.ts';
import { type CloseStatus, closePayload, readClose } from '../frames/close.ts';
import { CLOSE, CONTINUATION, PING, PONG } from '../frames/opcodes.ts';
import {
  CUT,
  type FrameAction,
  type FrameHandler,
  FrameReader,
  PASS,
  STOP,
  type Violation,
} from '../frames/reader.ts';
import { frame } from '../frames/writer.ts';
import { Sink } from '../stream/sink.ts';
import { Source, type Take } from '../stream/source.ts';
import { type End, type EndEvents, wordFor } from './closing.ts';
import type { Ending, PeerName, SessionHandle } from './contract.ts';

export interface PeerOptions {
  readonly name: PeerName;
  readonly socket: Duplex;
  readonly session: SessionHandle;
  /** permessage-deflate was negotiated. */
  readonly deflate: boolean;
  /** Largest message in bytes; unless given, a client's is the session's, an upstream's unlimited. */
  readonly maxMessage?: number;
  /** Who is told of the frames it sends. */
  readonly frames: FrameHandler;
  readonly events: EndEvents;
  /** Takes what it sends; unless given, `receive` does. */
  readonly take?: Take;
}

/** A fragment below this size counts like a message: empty ones would cost their sender nothing. */
const SMALL_FRAGMENT = 1024;

/**
 * One WebSocket peer of a bridge: reads what it sends frame by frame, and slips the gateway's own pings and Close in between
 * the frames that go to it. A client's frames are charged to its limits.
 *
 *     read:   open → closed (a Close came) | failed (it broke a rule) | cut (too much after the end) | gone
 *     write:  open → told (a Close is out) | stuck (a frame to it will never be finished) | gone
 */
export class Peer implements End {
  readonly name: PeerName;
  readonly socket: Duplex;
  readonly reader: FrameReader;
  readonly source: Source;
  readonly sink: Sink;
  readonly #events: EndEvents;
  /** The session whose limits its frames are charged to: a client's, until it ends. */
  #limits: SessionHandle | undefined;
  /** The peer whose frames go to this one. */
  #carried: Peer | undefined;
  /** `performance.now()` when the chunk at hand came: the clock is read once for all its messages. */
  #arrivedAt = 0;
  /** What a limit threw at the frame at hand: it counts once what came before that frame is on its way. */
  #excess: GatewayError | undefined;

  // How it ends.
  /** What its Close said. */
  closeStatus: CloseStatus | undefined;
  #isGone = false;
  #isCut = false;
  #isBuried = false;
  #isReleased = false;
  /** What it did wrong. */
  #fault: GatewayError | undefined;
  #closeSent = false;
  #waitingClose: CloseStatus | undefined;

  // How it is known to be alive.
  readonly #stallMs: number;
  #pingPayload: Buffer | undefined;
  #isPingWaiting = false;
  #owesLife = false;
  /** `performance.now()` when our last ping had left. */
  #pingLeftAt: number | undefined;
  #receivedAtPing = 0;

  constructor({ name, socket, session, deflate, maxMessage, frames, events, take }: PeerOptions) {
    const isClient = name === 'client';
    const largest = maxMessage ?? (isClient ? session.messageSize : Infinity);
    this.name = name;
    this.socket = socket;
    this.#events = events;
    this.#limits = isClient ? session : undefined;
    this.#stallMs = session.stallMs;
    const maxFragments = isClient ? session.fragments : Infinity;
    this.reader = new FrameReader({ masked: isClient, deflate, maxMessage: largest, maxFragments }, frames);
    this.source = new Source(socket, take ?? ((chunk) => this.receive(chunk)));
    this.sink = new Sink(socket, { stallMs: session.stallMs, onStall: () => this.#onStall() });
  }

  /** The frames of `other` go to this peer as they come: our own wait for the end of one. */
  carry(other: Peer): void {
    this.#carried = other;
    other.source.feed(this.sink);
  }

  /** Begins to read; `head` is what came behind the handshake. */
  start(head: Buffer): void {
    const { socket } = this;
    const onGone = () => this.#onGone();
    const onClosed = () => {
      this.#onGone();
      this.#events.onClosed(this);
    };
    socket.on('end', onGone).on('error', onGone).on('close', onClosed);
    // What happened before it was ours it tells nobody again.
    if (socket.closed) queueMicrotask(onClosed);
    else if (socket.readableEnded) queueMicrotask(onGone);
    else this.source.start(head);
  }

  /** Reads the frames of a chunk and charges its bytes; returns how many were taken. */
  receive(chunk: Buffer): number {
    try {
      const limits = this.#limits;
      if (limits === undefined) return this.reader.push(chunk);
      this.#arrivedAt = performance.now();
      const taken = this.reader.push(chunk);
      if (this.#excess !== undefined) throw this.#excess;
      const wait = limits.admitBytes(taken, this.#arrivedAt);
      if (wait > 0) this.source.pauseFor(wait);
      return taken;
    } catch (error) {
      this.#fail(asGatewayError(error));
      return chunk.length;
    }
  }

  /** Charges one message or control frame. STOP: not yet, and the peer is not read meanwhile; or never, and `receive` fails. */
  admit(): FrameAction {
    if (this.#limits === undefined) return PASS;
    try {
      const wait = this.#limits.admitMessage(this.#arrivedAt);
      if (wait === 0) return PASS;
      this.source.pauseFor(wait);
    } catch (error) {
      this.#excess = asGatewayError(error);
    }
    return STOP;
  }

  /** Charges a data frame: a message once, and each of its small fragments but the last. */
  admitFrame({ opcode, fin, length }: FrameReader): FrameAction {
    if (opcode === CONTINUATION && (fin || length >= SMALL_FRAGMENT)) return PASS;
    return this.admit();
  }

  /** Acts on a Close and on the answer to our ping; undefined for another control frame, which is the bridge's business. */
  onControl(opcode: number, payload: Buffer): FrameAction | undefined {
    if (opcode === PONG && this.#pingPayload?.equals(payload)) {
      this.#pingPayload = undefined;
      this.#owesLife = false;
      return CUT;
    }
    if (opcode !== CLOSE) return undefined;
    // The reader has judged it; the bridge sends its own in its place.
    this.closeStatus = readClose(payload) as CloseStatus;
    this.#events.onClose(this, this.closeStatus);
    return CUT;
  }

  onViolation(violation: Violation, detail: string): void {
    this.#fail(new GatewayError(violation, { detail: `${this.name}: ${detail}` }));
  }

  /** The stream to this peer stands between two frames, as was asked for: what waited is sent. */
  flushWaiting(): void {
    if (this.#isPingWaiting) this.#sendPing();
    const close = this.#waitingClose;
    if (close === undefined) return;
    this.#sendClose(close);
    this.#events.onProgress();
  }

  /** Answers a ping, unless the peer does not read: the answers would pile up (RFC 6455 §5.5.3 lets us skip some). */
  sendPong(payload: Buffer): void {
    if (this.takesFrames && !this.sink.isFull) this.#send(PONG, payload);
  }

  /** Frames may go to it. */
  get takesFrames(): boolean {
    return !this.#closeSent && !this.#isGone;
  }

  ping(): void {
    // One that is still on its way says enough.
    if (this.isTold || this.#isPingWaiting) return;
    this.#pingPayload = randomBytes(8);
    this.#owesLife = true;
    this.#pingLeftAt = undefined;
    if (this.#isAtBoundary) this.#sendPing();
    else this.#isPingWaiting = this.#askBoundary();
  }

  /** Whoever is not read from, or has just made room in a full sink, is not called silent: that is what `stall` is for. */
  silence(now: number): number | undefined {
    if (!this.#owesLife || this.isTold) return undefined;
    if (this.#pingLeftAt === undefined) return 0;
    if (this.source.received !== this.#receivedAtPing || this.source.wasPaused) {
      this.#owesLife = false;
      return undefined;
    }
    return Math.max(0, now - Math.max(this.#pingLeftAt, this.sink.fullUntil + this.#stallMs));
  }

  tell(ending: Ending): void {
    if (this.isTold || this.#waitingClose !== undefined) return;
    const close = this.#wordFor(ending);
    if (this.#isAtBoundary) {
      this.#sendClose(close);
      return;
    }
    this.#waitingClose = close;
    this.#askBoundary();
  }

  get isTold(): boolean {
    return this.#closeSent || this.#isGone || this.#isStuck;
  }

  get isFinished(): boolean {
    // Who broke a rule amid a frame is read to its end where the other peer waits for that.
    const isUnbelieved = this.#fault !== undefined && !this.reader.interrupt;
    const isGivenUp = this.#isBuried || this.#isCut || this.#isStuck;
    return this.closeStatus !== undefined || this.#isGone || isUnbelieved || isGivenUp;
  }

  /** What still comes is for nobody: it is charged no more, and does not have to wait. */
  limit(bytes: number): void {
    this.#limits = undefined;
    this.source.limit(bytes, () => this.#onCut());
  }

  release(): void {
    this.#isReleased = true;
    this.source.discard();
    this.sink.end();
    if (this.#isBuried || this.#isCut) this.sink.destroyWhenOut();
  }

  destroy(): void {
    this.socket.destroy();
  }

  bury(): void {
    this.#isBuried = true;
  }

  get #isAtBoundary(): boolean {
    return this.#carried === undefined || this.#carried.reader.remaining === 0;
  }

  #askBoundary(): true {
    if (this.#carried !== undefined) this.#carried.reader.interrupt = true;
    return true;
  }

  /** The frame on its way to this peer will never be finished: nothing can be said to it any more. */
  get #isStuck(): boolean {
    const carried = this.#carried;
    return carried !== undefined && (carried.#isGone || carried.#isCut) && carried.reader.remaining > 0;
  }

  #wordFor(ending: Ending): CloseStatus {
    const fault = this.#fault;
    if (fault !== undefined) return { code: fault.close, reason: fault.message };
    const answer = ending.error === undefined ? this.#carried?.closeStatus : undefined;
    return answer ?? wordFor(this.name, ending);
  }

  /** The first one counts, and nothing is sent after it (RFC 6455 §5.5.1). */
  #sendClose({ code, reason }: CloseStatus): void {
    this.#waitingClose = undefined;
    this.#send(CLOSE, closePayload(code, reason));
    this.#closeSent = true;
  }

  #sendPing(): void {
    this.#isPingWaiting = false;
    this.#send(PING, this.#pingPayload as Buffer);
    this.sink.whenOut(() => {
      this.#pingLeftAt = performance.now();
      this.#receivedAtPing = this.source.received;
      this.source.wasPaused = this.source.isPaused;
    });
  }

  /** Frames to an upstream are masked with an unpredictable key, frames to a client are not (RFC 6455 §5.1, §5.3). */
  #send(opcode: number, payload: Buffer): void {
    this.sink.write(frame(opcode, payload, this.name === 'upstream' ? randomInt(2 ** 32) : undefined));
  }

  #fail(error: GatewayError): void {
    if (this.#fault !== undefined) return;
    this.#fault = error;
    // The rest of a frame is still read: the other peer can be told only behind it.
    if (this.reader.remaining === 0) this.reader.done = true;
    this.#events.onFailure(this, error);
  }

  #onStall(): void {
    this.#isGone = true;
    this.sink.drop();
    this.socket.destroy();
    this.#events.onStall(this);
  }

  #onGone(): void {
    if (this.#isGone) return;
    this.#isGone = true;
    this.sink.drop();
    this.#events.onLost(this);
  }

  #onCut(): void {
    this.#isCut = true;
    if (this.#isReleased) this.sink.destroyWhenOut();
    this.#events.onProgress();
  }
}
