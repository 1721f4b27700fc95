import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { type CapsuleHandler, CapsuleReader } from '../../../capsules/reader.ts';
import { CapsuleError, type CapsuleTypes } from '../../../capsules/types.ts';
import { capsuleHead } from '../../../capsules/writer.ts';
import { asGatewayError, GatewayError } from '../../../errors.ts';
import { PASS } from '../../../frames/reader.ts';
import { resetSocket } from '../../../stream/reset.ts';
import { Sink } from '../../../stream/sink.ts';
import { Source } from '../../../stream/source.ts';
import { untilDelivered } from '../../../stream/unacknowledged.ts';
import { Charges } from '../../charges.ts';
import { type End, type EndEvents, LAST_READ_MS } from '../../closing.ts';
import type { Ending, SessionHandle } from '../../contract.ts';
import { HostLiveness } from '../host-liveness.ts';

export interface CapsuleClientOptions {
  readonly socket: Duplex;
  readonly session: SessionHandle;
  readonly types: CapsuleTypes;
  readonly events: EndEvents;
  /** `bytes[from, to)` is the next of what it sends to the service. */
  readonly onData: (bytes: Buffer, from: number, to: number) => void;
  /** All of a chunk has been read. */
  readonly onChunk: () => void;
}

/** An idle client whose host has vanished is noticed by nothing else: in milliseconds. */
const KEEPALIVE_MS = 60_000;

/**
 * The client of a bridge, where it speaks connect-tcp: capsules in, capsules out. Its good end is a FINAL_DATA capsule in each
 * direction, and then a FIN; every other one is abrupt, without a word of why: a reset, or over TLS a FIN with no closure
 * alert before it (RFC 8446 §6.1).
 *
 *     open → told (FIN or reset behind what was written) → closed
 *       └──finish──▶ finished (FINAL_DATA is out, what it sends is still wanted) ──┘
 */
export class CapsuleClient implements End, CapsuleHandler {
  readonly name = 'client';
  readonly source: Source;
  readonly sink: Sink;
  readonly data: CapsuleClientOptions['onData'];
  readonly #options: CapsuleClientOptions;
  /** It is told by a reset on the socket of an HTTP/1.1 connection. */
  readonly #socket: Socket;
  readonly #reader: CapsuleReader;
  readonly #liveness: HostLiveness;
  /** Until it ends. */
  #charges: Charges | undefined;
  /** It sends no more, be it without FINAL_DATA. */
  #hasEnded = false;
  #isGone = false;
  #isCut = false;
  /** It is told abruptly. */
  #isBroken = false;
  /** Our FINAL_DATA is on its way. */
  #isFinishing = false;
  isTold = false;

  constructor(options: CapsuleClientOptions) {
    const { socket, session, types } = options;
    this.#options = options;
    this.#socket = socket as Socket;
    this.data = options.onData;
    this.#reader = new CapsuleReader(types, this);
    this.source = new Source(socket, (chunk) => this.#take(chunk));
    this.sink = new Sink(socket, { stallMs: session.stallMs, onStall: () => this.#onStall() });
    this.#liveness = new HostLiveness(this.#socket, this.source);
    this.#charges = new Charges(session, this.source);
  }

  /** Begins to read; `head` is what came behind the request. */
  start(head: Buffer): void {
    const socket = this.#socket;
    const { events } = this.#options;
    const onClosed = () => {
      this.#liveness.stop();
      this.#onGone();
      events.onClosed(this);
    };
    const onEnd = () => {
      this.#hasEnded = true;
      this.#judgeEnd();
    };
    socket.setKeepAlive?.(true, KEEPALIVE_MS);
    // Node would end our side of a TLS connection with the other one.
    socket.allowHalfOpen = true;
    socket.on('end', onEnd).on('error', () => this.#onGone());
    socket.on('close', onClosed);
    // What happened before it was ours it tells nobody again.
    if (socket.closed) queueMicrotask(onClosed);
    else if (socket.readableEnded) queueMicrotask(onEnd);
    else this.source.start(head);
  }

  /** Its FINAL_DATA has come. */
  get isFinal(): boolean {
    return this.#reader.isFinal;
  }

  begin(): boolean {
    if (this.#charges !== undefined && this.#charges.admit() !== PASS) return false;
    this.#options.session.up.messages += 1;
    return true;
  }

  /** Sends bytes of the service, uncopied. */
  send(bytes: Buffer): void {
    if (this.isTold) return;
    const { session, types } = this.#options;
    session.down.messages += 1;
    session.down.bytes += bytes.length;
    this.sink.write(capsuleHead(types.data, bytes.length));
    this.sink.write(bytes);
  }

  /** Says that the service sends no more. Again is a no-op. */
  finish(): void {
    if (this.isTold || this.#isFinishing) return;
    this.#isFinishing = true;
    this.sink.write(capsuleHead(this.#options.types.finalData, 0));
  }

  tell({ by }: Ending): void {
    if (this.isTold) return;
    this.isTold = true;
    if (this.isFinal && this.#isFinishing) {
      this.sink.end();
      return;
    }
    this.#isBroken = true;
    if (this.#isGone) this.destroy();
    else this.sink.whenOut(() => (by === 'upstream' ? void this.#resetOnceDelivered() : this.destroy()));
  }

  get isFinished(): boolean {
    return this.isFinal || this.#isGone || this.#isBroken || this.#isCut;
  }

  /** What still comes is for nobody: it is charged no more, and does not have to wait. */
  limit(bytes: number): void {
    this.#charges = undefined;
    this.source.limit(bytes, () => this.#onCut());
  }

  release(): void {
    this.source.discard();
    if (this.#isBroken) return;
    this.sink.end();
    if (this.#isCut) this.sink.destroyWhenOut(LAST_READ_MS);
  }

  destroy(): void {
    resetSocket(this.#socket);
  }

  ping(): void {
    this.#liveness.look();
  }

  silence(now: number): number | undefined {
    return this.isTold ? undefined : this.#liveness.silence(now);
  }

  bury(): void {
    this.#isGone = true;
    this.sink.drop();
  }

  #take(chunk: Buffer): number {
    const taken = this.#receive(chunk);
    this.#options.onChunk();
    // The last of what it sent may have waited: it counts as taken once this has returned.
    if (this.#hasEnded) queueMicrotask(() => this.#judgeEnd());
    return taken;
  }

  #receive(chunk: Buffer): number {
    if (this.isTold) return chunk.length;
    try {
      this.#charges?.begin();
      const taken = this.#reader.push(chunk);
      this.#charges?.settle(taken);
      return taken;
    } catch (thrown) {
      this.#options.events.onFailure(this, faultOf(thrown));
      return chunk.length;
    }
  }

  /** The last words of a service are often why it has reset: they are not to be lost to that. */
  async #resetOnceDelivered(): Promise<void> {
    await untilDelivered(this.#socket, () => this.#isGone);
    this.destroy();
  }

  /** Who ends without FINAL_DATA has been cut off. */
  #judgeEnd(): void {
    if (this.#hasEnded && this.source.isEmpty && !this.isFinal) this.#onGone();
  }

  #onGone(): void {
    if (this.#isGone) return;
    this.#isGone = true;
    this.isTold = true;
    this.sink.drop();
    this.#options.events.onLost(this);
  }

  #onStall(): void {
    this.#isGone = true;
    this.isTold = true;
    this.sink.drop();
    this.destroy();
    this.#options.events.onStall(this);
  }

  #onCut(): void {
    this.#isCut = true;
    if (this.isTold && !this.#isBroken) this.sink.destroyWhenOut(LAST_READ_MS);
    this.#options.events.onProgress();
  }
}

function faultOf(thrown: unknown): GatewayError {
  if (!(thrown instanceof CapsuleError)) return asGatewayError(thrown);
  return new GatewayError('PROTOCOL_ERROR', {
    detail: `connect-tcp: ${thrown.message}`,
    sentence: `The peer broke connect-tcp: ${thrown.message}.`,
  });
}
