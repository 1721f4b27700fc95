import type { Duplex } from 'node:stream';
import { asGatewayError, GatewayError } from '../errors.ts';
import { type CloseStatus, readClose } from '../frames/close.ts';
import { CLOSE, PONG } from '../frames/opcodes.ts';
import { CUT, type FrameAction, FrameReader, PASS, type Violation } from '../frames/reader.ts';
import { Sink } from '../stream/sink.ts';
import { Source } from '../stream/source.ts';
import { Charges } from './charges.ts';
import { type End, type EndEvents, LAST_READ_MS, wordFor } from './closing.ts';
import type { Ending, PeerName } from './contract.ts';
import { ControlWriter } from './control-writer.ts';
import { Liveness } from './liveness.ts';
import type { PeerOptions } from './peer-options.ts';

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
  /** Our own frames to it. */
  readonly #writer: ControlWriter;
  readonly #events: EndEvents;
  readonly #beforeClose: PeerOptions['beforeClose'];
  /** A client's, until it ends; an upstream is charged nothing. */
  #charges: Charges | undefined;
  /** The peer whose frames go to this one. */
  #carried: Peer | undefined;

  // How it ends.
  /** What its Close said. */
  closeStatus: CloseStatus | undefined;
  #isGone = false;
  #isCut = false;
  #isBuried = false;
  #isReleased = false;
  /** What it did wrong. */
  #fault: GatewayError | undefined;

  // How it is known to be alive.
  readonly #liveness: Liveness;

  constructor(options: PeerOptions) {
    const { name, socket, session, deflate, maxMessage, frames, events, take } = options;
    const isClient = name === 'client';
    const largest = maxMessage ?? (isClient ? session.messageSize : Infinity);
    this.name = name;
    this.socket = socket;
    this.#events = events;
    this.#beforeClose = options.beforeClose;
    const maxFragments = isClient ? session.fragments : Infinity;
    this.reader = new FrameReader({ masked: isClient, deflate, maxMessage: largest, maxFragments }, frames);
    this.source = new Source(socket, take ?? ((chunk) => this.receive(chunk)));
    this.sink = new Sink(socket, { stallMs: session.stallMs, onStall: () => this.#onStall() });
    this.#writer = new ControlWriter(this.sink, !isClient);
    this.#charges = isClient ? new Charges(session, this.source) : undefined;
    this.#liveness = new Liveness(this.source, this.sink, session.stallMs);
  }

  /** The frames of `other` go to this peer as they come: our own wait for the end of one. */
  carry(other: Peer): void {
    this.#carried = other;
    this.#writer.standBetween(other.reader);
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
    const charges = this.#charges;
    try {
      charges?.begin();
      const taken = this.reader.push(chunk);
      charges?.settle(taken);
      return taken;
    } catch (error) {
      this.#fail(asGatewayError(error));
      return chunk.length;
    }
  }

  /** Charges one message or control frame. STOP: not yet, and the peer is not read meanwhile; or never, and `receive` fails. */
  admit(): FrameAction {
    return this.#charges === undefined ? PASS : this.#charges.admit();
  }

  /** Charges a data frame, in the same way. */
  admitFrame(reader: FrameReader): FrameAction {
    return this.#charges === undefined ? PASS : this.#charges.admitFrame(reader);
  }

  /** Acts on a Close and on the answer to our ping; undefined for another control frame, which is the bridge's business. */
  onControl(opcode: number, payload: Buffer): FrameAction | undefined {
    if (opcode === PONG && this.#liveness.isAnswer(payload)) return CUT;
    if (opcode !== CLOSE) return undefined;
    // The reader has judged it; the bridge sends its own in its place.
    this.closeStatus = readClose(payload) as CloseStatus;
    this.#events.onClose(this, this.closeStatus);
    return CUT;
  }

  onViolation(violation: Violation, detail: string, limit?: string): void {
    const sentence = limit && `The message is too big: at most ${limit}.`;
    this.#fail(new GatewayError(violation, { detail: `${this.name}: ${detail}`, sentence }));
  }

  /** The stream to this peer stands between two frames, as was asked for: what waited is sent. */
  flushWaiting(): void {
    if (this.takesFrames && this.#writer.onBoundary()) this.#events.onProgress();
  }

  /** Answers a ping of its own. */
  sendPong(payload: Buffer): void {
    if (!this.#isGone) this.#writer.pong(payload);
  }

  /** Frames may go to it. */
  get takesFrames(): boolean {
    return !this.#writer.isClosed && !this.#isGone;
  }

  ping(): void {
    // One that is still on its way says enough.
    if (this.isTold || this.#writer.isPingWaiting) return;
    this.#writer.ping(this.#liveness.ask(), () => this.#liveness.left());
  }

  get roundTripMs(): number | undefined {
    return this.#liveness.roundTripMs;
  }

  silence(now: number): number | undefined {
    return this.isTold ? undefined : this.#liveness.silence(now);
  }

  tell(ending: Ending): void {
    if (this.isTold || this.#writer.isClosing) return;
    const word = this.#wordFor(ending);
    this.#beforeClose?.(word, this.#fault ?? ending.error);
    this.#writer.close(word);
  }

  get isTold(): boolean {
    return this.#writer.isClosed || this.#isGone || this.#isStuck;
  }

  get isFinished(): boolean {
    // Who broke a rule amid a frame is read to its end where the other peer waits for that.
    const isUnbelieved = this.#fault !== undefined && !this.reader.interrupt;
    const isGivenUp = this.#isBuried || this.#isCut || this.#isStuck;
    return this.closeStatus !== undefined || this.#isGone || isUnbelieved || isGivenUp;
  }

  /** What still comes is for nobody: it is charged no more, and does not have to wait. */
  limit(bytes: number): void {
    this.#charges = undefined;
    this.source.limit(bytes, () => this.#onCut());
  }

  release(): void {
    this.#isReleased = true;
    this.source.discard();
    this.sink.end();
    if (this.#isBuried) this.sink.destroyWhenOut(0);
    else if (this.#isCut) this.sink.destroyWhenOut(LAST_READ_MS);
  }

  destroy(): void {
    this.socket.destroy();
  }

  bury(): void {
    this.#isBuried = true;
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
    if (this.#isReleased) this.sink.destroyWhenOut(LAST_READ_MS);
    this.#events.onProgress();
  }
}
