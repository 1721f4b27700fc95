import type { Duplex } from 'node:stream';
import { asGatewayError, GatewayError } from '../errors.ts';
import { ABNORMAL, type CloseStatus } from '../frames/close.ts';
import { CONTINUATION } from '../frames/opcodes.ts';
import { type FrameAction, type FrameReader, PASS, STOP } from '../frames/reader.ts';
import { Flow } from '../stream/flow.ts';
import type { Ending, Link, SessionHandle, Traffic } from './contract.ts';
import { endingOf, endSocket } from './ending.ts';
import { Side, type SideEvents } from './peer.ts';

/** How a session ends whose client sent no Close. */
const VANISHED: Ending = { code: ABNORMAL, reason: '', by: 'client' };

/** One side of a relay: its frames go on, as they came, to the other side. */
class RelaySide extends Side {
  other!: RelaySide;
  /** The flow that begins in this side's socket. */
  in!: Flow;
  readonly #session: SessionHandle;
  readonly #traffic: Traffic;

  constructor(
    socket: Duplex,
    name: 'client' | 'upstream',
    deflate: boolean,
    session: SessionHandle,
    events: SideEvents,
  ) {
    super(name, socket, { deflate, maxMessage: name === 'client' ? session.messageSize : Infinity }, events);
    this.#session = session;
    this.#traffic = name === 'client' ? session.up : session.down;
  }

  frame(reader: FrameReader): FrameAction {
    if (reader.opcode === CONTINUATION) return PASS;
    if (this.#admit() === STOP) return STOP;
    this.#traffic.messages++;
    return PASS;
  }

  payload(_bytes: Buffer, from: number, to: number): void {
    this.#traffic.bytes += to - from;
  }

  raw(bytes: Buffer, from: number, to: number): void {
    // After a Close nothing may follow it (RFC 6455 §5.5.1).
    if (this.other.told) return;
    this.in.write(from === 0 && to === bytes.length ? bytes : bytes.subarray(from, to));
  }

  /** Pings and pongs pass from end to end; a client's count against its message rate like its messages. */
  protected heartbeat(): FrameAction {
    return this.#admit();
  }

  #admit(): FrameAction {
    if (this.name === 'upstream') return PASS;
    const wait = this.#session.admitMessage(this.arrivedAt);
    if (wait === 0) return PASS;
    this.in.pauseFor(wait);
    return STOP;
  }

  /** Counts bytes of the client against its limit; may pause its reading. Throws where the limit says so. */
  meter(bytes: number): void {
    const wait = this.#session.admitBytes(bytes, this.arrivedAt);
    if (wait > 0) this.in.pauseFor(wait);
  }

  protected atBoundary(): boolean {
    return this.other.reader.remaining === 0;
  }

  protected askBoundary(): void {
    this.other.reader.interrupt = true;
  }

  boundary(): void {
    this.other.flushWaiting();
  }

  /** Its peer cannot be told anything between frames any more: the frame at hand will never be finished. */
  get stuck(): boolean {
    return this.other.gone && this.other.reader.remaining > 0;
  }
}

/**
 * Joins two WebSocket peers: frames are checked, counted and forwarded as the bytes they came as, uncopied and still
 * masked (design: relay frames, don't rebuild messages). The first side to end ends the other with the same code where
 * it may be sent; when both have sent a Close, or their time is up, both sockets are ended.
 */
export class Relay implements Link, SideEvents {
  readonly #session: SessionHandle;
  readonly #client: RelaySide;
  readonly #upstream: RelaySide;
  readonly #resolve: (ending: Ending) => void;
  #ending: Ending | undefined;
  #closeTimer: NodeJS.Timeout | undefined;
  readonly #ended = new Map<RelaySide, Promise<void>>();
  #seen = { client: 0, upstream: 0 };
  readonly done: Promise<Ending>;

  constructor(client: Duplex, upstream: Duplex, deflate: boolean, session: SessionHandle) {
    this.#session = session;
    const { promise, resolve } = Promise.withResolvers<Ending>();
    this.done = promise;
    this.#resolve = resolve;
    this.#client = new RelaySide(client, 'client', deflate, session, this);
    this.#upstream = new RelaySide(upstream, 'upstream', deflate, session, this);
    this.#join(this.#client, this.#upstream);
    this.#join(this.#upstream, this.#client);
  }

  /** Begins to carry bytes. `clientHead` and `upstreamHead` are what came behind the handshakes. */
  start(clientHead: Buffer, upstreamHead: Buffer): void {
    this.#session.attach(this);
    this.#upstream.in.start(upstreamHead);
    this.#client.in.start(clientHead);
  }

  ping(): void {
    for (const side of [this.#client, this.#upstream]) {
      this.#seen[side.name] = side.received;
      side.in.wasPaused = side.in.paused;
      side.sendPing();
    }
  }

  silent(): 'client' | 'upstream' | undefined {
    const isSilent = (side: RelaySide) => side.received === this.#seen[side.name] && !side.in.wasPaused;
    return [this.#client, this.#upstream].find(isSilent)?.name;
  }

  close(ending: Ending): void {
    this.#ending ??= ending;
    this.#tellBoth();
  }

  destroy(): void {
    this.#client.socket.destroy();
    this.#upstream.socket.destroy();
  }

  onClose(side: Side, { code, reason }: CloseStatus): void {
    this.#ending ??= { code, reason, by: side.name };
    (side as RelaySide).other.sendClose(code, reason);
    this.#settle();
  }

  onViolation(_side: Side, error: GatewayError): void {
    this.close(endingOf(error));
  }

  onCloseSent(): void {
    this.#settle();
  }

  #join(side: RelaySide, other: RelaySide): void {
    side.other = other;
    side.in = new Flow(side.socket, other.socket, {
      take: (chunk) => this.#take(side, chunk),
      onStall: () => this.#onStall(other),
      stallMs: this.#session.stallMs,
    });
    other.out = side.in;
    const onGone = () => this.#onGone(side);
    side.socket.on('end', onGone).on('error', onGone).on('close', onGone);
  }

  #take(side: RelaySide, chunk: Buffer): number {
    try {
      const taken = side.read(chunk);
      if (side === this.#client) side.meter(taken);
      return taken;
    } catch (error) {
      this.close(endingOf(asGatewayError(error)));
      return chunk.length;
    }
  }

  /** The peer does not read: a Close could not reach it either. */
  #onStall(side: RelaySide): void {
    this.#ending ??= endingOf(new GatewayError('PEER_STALLED', { detail: side.name }));
    side.socket.destroy();
    this.#onGone(side);
  }

  #onGone(side: RelaySide): void {
    if (side.gone) return;
    side.gone = true;
    side.other.in.dropSink();
    this.#ending ??=
      side.name === 'client' ? VANISHED : endingOf(new GatewayError('UPSTREAM_LOST'), 'upstream');
    // A client may vanish without a word; an upstream is told so in words.
    const { code, reason } =
      this.#ending === VANISHED ? endingOf(new GatewayError('CLIENT_LOST')) : this.#ending;
    side.other.sendClose(code, reason);
    this.#settle();
  }

  #tellBoth(): void {
    const { code, reason } = this.#ending as Ending;
    this.#client.sendClose(code, reason);
    this.#upstream.sendClose(code, reason);
    this.#settle();
  }

  /** Ends the socket of each peer that has said and been told all, and gives the other one a deadline. */
  #settle(): void {
    for (const side of [this.#client, this.#upstream]) {
      if ((side.finished && side.told) || side.stuck) this.#end(side);
    }
    if (this.#ended.size < 2)
      this.#closeTimer ??= setTimeout(() => this.#onCloseTimeout(), this.#session.closeMs);
  }

  /** Whoever sent a Close and waits for its answer gets it from us. */
  #onCloseTimeout(): void {
    this.#tellBoth();
    this.#end(this.#client);
    this.#end(this.#upstream);
  }

  #end(side: RelaySide): void {
    if (this.#ended.has(side)) return;
    side.in.stop();
    side.out.flush();
    this.#ended.set(side, endSocket(side.socket, this.#session.closeMs));
    if (this.#ended.size < 2) return;
    clearTimeout(this.#closeTimer);
    void Promise.all(this.#ended.values()).then(() => this.#resolve(this.#ending as Ending));
  }
}
