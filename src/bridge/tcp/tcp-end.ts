import type { Socket } from 'node:net';
import { GOING_AWAY, NO_STATUS, NORMAL } from '../../frames/close.ts';
import { resetSocket } from '../../stream/reset.ts';
import { Sink } from '../../stream/sink.ts';
import { Source, type Take } from '../../stream/source.ts';
import { untilDelivered } from '../../stream/unacknowledged.ts';
import type { Overhear } from '../../upstream/starttls/channel-binding.ts';
import { type End, type EndEvents, LAST_READ_MS } from '../closing.ts';
import type { Ending, SessionHandle } from '../contract.ts';
import { HostLiveness } from './host-liveness.ts';

export interface TcpEndOptions {
  readonly socket: Socket;
  readonly session: Pick<SessionHandle, 'stallMs'>;
  readonly take: Take;
  /** Has what it says before that is taken. */
  readonly overhear?: Overhear | undefined;
  /** Called before it is told: what is still to be written. */
  readonly beforeTold: () => void;
  /** Called when it sends no more: it may still be sent something. Absent: that is its Close. */
  readonly onFinished?: (() => void) | undefined;
  readonly events: EndEvents;
}

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
  readonly #liveness: HostLiveness;

  constructor({ socket, session, take, overhear, beforeTold, onFinished, events }: TcpEndOptions) {
    this.socket = socket;
    this.#events = events;
    this.#beforeTold = beforeTold;
    this.#onFinished = onFinished;
    const takeOverheard: Take = (chunk) => {
      overhear?.(chunk);
      return take(chunk);
    };
    this.source = new Source(socket, overhear === undefined ? take : takeOverheard);
    this.sink = new Sink(socket, { stallMs: session.stallMs, onStall: () => this.#onStall() });
    this.#liveness = new HostLiveness(socket, this.source);
  }

  /** Begins to read. */
  start(): void {
    const { socket } = this;
    const onClosed = () => {
      this.#liveness.stop();
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

  ping(): void {
    this.#liveness.look();
  }

  silence(now: number): number | undefined {
    return this.isTold ? undefined : this.#liveness.silence(now);
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

  /** A reset takes with it what the service's system has not acknowledged. The dead are not waited for. */
  async #resetOnceDelivered(): Promise<void> {
    await untilDelivered(this.socket, () => this.#isGone);
    this.destroy();
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
