import type { Socket } from 'node:net';
import { GOING_AWAY, NO_STATUS, NORMAL } from '../../frames/close.ts';
import { resetSocket } from '../../stream/reset.ts';
import { Sink } from '../../stream/sink.ts';
import { Source, type Take } from '../../stream/source.ts';
import { lookAtDelivery } from '../../stream/unacknowledged.ts';
import { type End, type EndEvents, LAST_READ_MS } from '../closing.ts';
import type { Ending, SessionHandle } from '../contract.ts';

export interface TcpEndOptions {
  readonly socket: Socket;
  readonly session: Pick<SessionHandle, 'stallMs'>;
  readonly take: Take;
  /** Called before it is told: what is still to be written. */
  readonly beforeTold: () => void;
  /** Called when it sends no more: it may still be sent something. Absent: that is its Close. */
  readonly onFinished?: (() => void) | undefined;
  readonly events: EndEvents;
}

/** So often whoever seems to have vanished is looked at. */
const LOOK_AGAIN_MS = 1_000;

/** A client that says one of these has sent all it had: the service may take what came for whole. */
const GOODBYES: ReadonlySet<number> = new Set([NORMAL, GOING_AWAY, NO_STATUS]);

/**
 * The end of a bridge that is a raw TCP service. A good end is told as a FIN, every other one as a reset, so that half a
 * file never looks whole (RFC 9293 §3.10.7). A unix socket knows no reset: there every end looks alike.
 *
 *     open → told (FIN or RST behind what was written) → closed
 *       └──finish──▶ finished (our FIN is out, what it sends is still wanted) ──┘
 */
export class TcpEnd implements End {
  readonly name = 'upstream';
  readonly socket: Socket;
  readonly source: Source;
  readonly sink: Sink;
  readonly #events: EndEvents;
  readonly #beforeTold: () => void;
  readonly #onFinished: (() => void) | undefined;
  #isGone = false;
  #isCut = false;
  /** Its FIN has come. */
  #isDone = false;
  isTold = false;
  /** Our FIN is out, or on its way. */
  #isFinishing = false;
  /** It is told by a reset. */
  #isBroken = false;
  /** `performance.now()` when its host was first seen not to acknowledge what we sent; undefined while it does. */
  #unheardSince: number | undefined;
  #isLooking = false;
  #lookingAgain: NodeJS.Timeout | undefined;
  /** Whether its host takes what it is sent cannot be seen. */
  #isOpaque = false;
  /** At the last look: bytes written by then, and whether some of them were not acknowledged. */
  #writtenThen = 0;
  #wasOwing = false;
  /** Bytes that had come when it was last known to be there. */
  #receivedThen = 0;

  constructor({ socket, session, take, beforeTold, onFinished, events }: TcpEndOptions) {
    this.socket = socket;
    this.#events = events;
    this.#beforeTold = beforeTold;
    this.#onFinished = onFinished;
    this.source = new Source(socket, take);
    this.sink = new Sink(socket, { stallMs: session.stallMs, onStall: () => this.#onStall() });
  }

  /** Begins to read. */
  start(): void {
    const { socket } = this;
    const onClosed = () => {
      clearTimeout(this.#lookingAgain);
      this.#onLost();
      this.#events.onClosed(this);
    };
    socket.on('end', () => this.#onFin()).on('error', () => this.#onLost());
    socket.on('close', onClosed);
    // Closed before it was ours, it tells nobody again.
    if (socket.closed) queueMicrotask(onClosed);
    else this.source.start();
  }

  get isFinished(): boolean {
    return this.#isGone || this.#isDone || this.#isCut || this.#isBroken;
  }

  /** Sends nothing more, and still receives: a FIN behind what was written. Calls `then` once it is out, or never will be. */
  finish(then: () => void): void {
    if (this.isTold || this.#isFinishing) return;
    this.#isFinishing = true;
    this.sink.finish(then);
  }

  /** Both have sent a FIN, and all before it. */
  get isThrough(): boolean {
    return this.#isDone && this.#isFinishing && this.socket.writableFinished;
  }

  tell(ending: Ending): void {
    if (this.isTold) return;
    this.#beforeTold();
    this.isTold = true;
    if (this.#isGoodbye(ending)) {
      this.sink.end();
      return;
    }
    this.#isBroken = true;
    // Behind a FIN nothing can be written, to hear when it is delivered; to the dead nothing is.
    if (this.#isFinishing || this.#isGone) this.destroy();
    else this.sink.whenOut(() => void this.#resetOnceDelivered());
  }

  limit(bytes: number): void {
    this.source.limit(bytes, () => this.#onCut());
  }

  release(): void {
    this.source.discard();
    if (this.#isCut && !this.#isBroken) this.sink.destroyWhenOut(LAST_READ_MS);
  }

  destroy(): void {
    resetSocket(this.socket);
  }

  /** A protocol that is not ours cannot be pinged; but whether its host takes our bytes can be seen. */
  ping(): void {
    if (this.#isLooking) return;
    this.#isLooking = true;
    void this.#look();
  }

  /** 0 while there is something for its host to acknowledge: then it is looked at again, for it may vanish right after a look. */
  silence(now: number): number | undefined {
    if (this.isTold || this.#isOpaque) return undefined;
    if (this.#unheardSince === undefined && !this.#isOwing) return undefined;
    if (this.source.received === this.#receivedThen) this.ping();
    else this.#onHeard();
    return this.#unheardSince === undefined ? 0 : now - this.#unheardSince;
  }

  get #isOwing(): boolean {
    return this.#wasOwing || this.socket.bytesWritten !== this.#writtenThen;
  }

  /** Who sends is there. */
  #onHeard(): void {
    this.#receivedThen = this.source.received;
    this.#unheardSince = undefined;
  }

  /** What it does not take stops nobody any more. */
  bury(): void {
    this.#isGone = true;
    this.sink.drop();
  }

  /** Its own FIN is an answer to nothing where what it is sent goes on behind it. */
  #isGoodbye({ by, code, clean }: Ending): boolean {
    if (this.isThrough || (this.#isDone && this.#onFinished === undefined)) return true;
    return clean && by === 'client' && GOODBYES.has(code);
  }

  /** A reset takes with it what the service's system has not acknowledged (RFC 9293 §3.10.5). The dead are not waited for. */
  async #resetOnceDelivered(): Promise<void> {
    while (!this.socket.destroyed && !this.#isGone && this.socket.bytesWritten > 0) {
      const delivery = await lookAtDelivery(this.socket);
      if (delivery === undefined || delivery.unacknowledged === 0 || delivery.isRepeated) break;
    }
    this.destroy();
  }

  async #look(): Promise<void> {
    const now = performance.now();
    const { bytesWritten } = this.socket;
    const delivery = await lookAtDelivery(this.socket);
    this.#isLooking = false;
    this.#writtenThen = bytesWritten;
    this.#isOpaque = delivery === undefined;
    this.#wasOwing = delivery !== undefined && delivery.unacknowledged > 0;
    this.#unheardSince = delivery?.isRepeated ? (this.#unheardSince ?? now) : undefined;
    clearTimeout(this.#lookingAgain);
    if (this.#unheardSince === undefined || this.socket.destroyed) return;
    // What was lost on the way is sent again, too: once it has arrived there was no silence.
    this.#lookingAgain = setTimeout(() => this.ping(), LOOK_AGAIN_MS);
  }

  #onFin(): void {
    this.#isDone = true;
    if (this.#onFinished !== undefined) this.#onFinished();
    else this.#events.onClose(this, { code: NORMAL, reason: 'The upstream closed the connection.' });
  }

  #onLost(): void {
    if (this.#isGone) return;
    this.#isGone = true;
    this.isTold = true;
    this.sink.drop();
    // It is no loss that a socket closes whose both directions are through.
    if (this.isThrough) this.#events.onProgress();
    else this.#events.onLost(this);
  }

  #onStall(): void {
    this.#isGone = true;
    this.isTold = true;
    this.sink.drop();
    this.destroy();
    this.#events.onStall(this);
  }

  #onCut(): void {
    this.#isCut = true;
    if (this.isTold && !this.#isBroken) this.sink.destroyWhenOut(LAST_READ_MS);
    this.#events.onProgress();
  }
}
