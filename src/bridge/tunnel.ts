import type { Duplex } from 'node:stream';
import { asGatewayError, GatewayError } from '../errors.ts';
import { ABNORMAL, type CloseStatus, NORMAL } from '../frames/close.ts';
import { mask } from '../frames/mask.ts';
import { BINARY, CONTINUATION, PING, TEXT } from '../frames/opcodes.ts';
import { CUT, type FrameAction, type FrameReader, PASS, STOP } from '../frames/reader.ts';
import { frameHeader } from '../frames/writer.ts';
import { Flow } from '../stream/flow.ts';
import type { Ending, Link, SessionHandle } from './contract.ts';
import { endingOf, endSocket } from './ending.ts';
import { Side, type SideEvents } from './peer.ts';

/** The WebSocket side of a tunnel: payload is unmasked where it lies, and pushed together within its chunk. */
class TunnelSide extends Side {
  /** The flow that begins in this side's socket. */
  in!: Flow;
  readonly #session: SessionHandle;
  readonly #text: boolean;
  #chunk: Buffer | undefined;
  #from = 0;
  #to = 0;

  constructor(socket: Duplex, text: boolean, session: SessionHandle, events: SideEvents) {
    super('client', socket, { deflate: false, maxMessage: session.messageSize }, events);
    this.#session = session;
    this.#text = text;
  }

  frame(reader: FrameReader): FrameAction {
    if (reader.opcode === CONTINUATION) return PASS;
    if (reader.opcode === TEXT && !this.#text)
      throw new GatewayError('UNSUPPORTED_DATA', { detail: 'a text message' });
    if (this.#admit() === STOP) return STOP;
    this.#session.up.messages++;
    return PASS;
  }

  payload(bytes: Buffer, from: number, to: number, reader: FrameReader): void {
    this.#session.up.bytes += to - from;
    mask(bytes, from, to, reader.key, reader.length - reader.remaining);
    if (this.#chunk === undefined) {
      this.#chunk = bytes;
      this.#from = from;
      this.#to = to;
      return;
    }
    // Over the header in between: one write a chunk, however many small messages it holds.
    bytes.copyWithin(this.#to, from, to);
    this.#to += to - from;
  }

  /** What `payload` has put together since the last call. */
  takePayload(): Buffer | undefined {
    const payload = this.#chunk?.subarray(this.#from, this.#to);
    this.#chunk = undefined;
    return payload;
  }

  /** A TCP service knows no pings: the gateway answers, unless the client does not read (RFC 6455 §5.5.3 lets us skip some). */
  protected heartbeat(opcode: number, payload: Buffer): FrameAction {
    if (this.#admit() === STOP) return STOP;
    if (opcode === PING && !this.socket.writableNeedDrain) this.sendPong(payload);
    return CUT;
  }

  #admit(): FrameAction {
    const wait = this.#session.admitMessage(this.arrivedAt);
    if (wait === 0) return PASS;
    this.in.pauseFor(wait);
    return STOP;
  }

  /** Counts bytes against the client's limit; may pause its reading. Throws where the limit says so. */
  meter(bytes: number): void {
    const wait = this.#session.admitBytes(bytes, this.arrivedAt);
    if (wait > 0) this.in.pauseFor(wait);
  }

  raw(): void {}
  boundary(): void {}
  protected askBoundary(): void {}
  /** Only whole frames are written to the client. */
  protected atBoundary(): boolean {
    return true;
  }
}

/**
 * Joins a WebSocket client to a TCP socket: payload bytes go through as they come, never assembled into messages; what
 * the service sends goes back as one binary message a read. RFC 6455 has no half-close: a FIN of the service closes with
 * 1000, a Close of the client is flushed and becomes our FIN.
 */
export class Tunnel implements Link, SideEvents {
  readonly #session: SessionHandle;
  readonly #client: TunnelSide;
  readonly #upstream: Duplex;
  readonly #down: Flow;
  readonly #resolve: (ending: Ending) => void;
  #ending: Ending | undefined;
  #upstreamEnded: Promise<void> | undefined;
  #clientEnded: Promise<void> | undefined;
  #closeTimer: NodeJS.Timeout | undefined;
  #seen = 0;
  readonly done: Promise<Ending>;

  constructor(client: Duplex, upstream: Duplex, text: boolean, session: SessionHandle) {
    this.#session = session;
    const { promise, resolve } = Promise.withResolvers<Ending>();
    this.done = promise;
    this.#resolve = resolve;
    this.#upstream = upstream;
    this.#client = new TunnelSide(client, text, session, this);
    const stallMs = session.stallMs;
    const up = {
      stallMs,
      take: (chunk: Buffer) => this.#takeUp(chunk),
      onStall: () => this.#onUpstreamStall(),
    };
    const down = {
      stallMs,
      take: (chunk: Buffer) => this.#takeDown(chunk),
      onStall: () => this.#onClientStall(),
    };
    this.#client.in = new Flow(client, upstream, up);
    this.#down = new Flow(upstream, client, down);
    this.#client.out = this.#down;
  }

  /** Begins to carry bytes; `head` is what came behind the client's handshake. */
  start(head: Buffer): void {
    const onClientGone = () => this.#onClientGone();
    const onLost = () => this.#end(endingOf(new GatewayError('UPSTREAM_LOST'), 'upstream'));
    this.#client.socket.on('end', onClientGone).on('error', onClientGone).on('close', onClientGone);
    this.#upstream
      .on('end', () => this.#onUpstreamEnd())
      .on('error', onLost)
      .on('close', onLost);
    this.#session.attach(this);
    this.#down.start();
    this.#client.in.start(head);
  }

  ping(): void {
    this.#seen = this.#client.received;
    this.#client.in.wasPaused = this.#client.in.paused;
    this.#client.sendPing();
  }

  silent(): 'client' | undefined {
    return this.#client.received === this.#seen && !this.#client.in.wasPaused ? 'client' : undefined;
  }

  close(ending: Ending): void {
    this.#end(ending);
  }

  destroy(): void {
    this.#client.socket.destroy();
    this.#upstream.destroy();
  }

  onClose(_side: Side, { code, reason }: CloseStatus): void {
    this.#end({ code, reason, by: 'client' });
  }

  onViolation(_side: Side, error: GatewayError): void {
    this.#end(endingOf(error));
  }

  onCloseSent(): void {}

  #takeUp(chunk: Buffer): number {
    try {
      const taken = this.#client.read(chunk);
      this.#flushUp();
      this.#client.meter(taken);
      return taken;
    } catch (error) {
      this.#end(endingOf(asGatewayError(error)));
      return chunk.length;
    }
  }

  #flushUp(): void {
    const payload = this.#client.takePayload();
    if (payload !== undefined && this.#upstreamEnded === undefined) this.#client.in.write(payload);
  }

  #takeDown(chunk: Buffer): number {
    if (this.#client.told) return chunk.length;
    this.#session.down.messages++;
    this.#session.down.bytes += chunk.length;
    this.#down.write(frameHeader(BINARY, chunk.length));
    this.#down.write(chunk);
    return chunk.length;
  }

  #onUpstreamEnd(): void {
    this.#end({ code: NORMAL, reason: 'The upstream closed the connection.', by: 'upstream' });
  }

  #onUpstreamStall(): void {
    this.#end(endingOf(new GatewayError('PEER_STALLED', { detail: 'upstream' })));
    this.#upstream.destroy();
  }

  #onClientStall(): void {
    this.#end(endingOf(new GatewayError('PEER_STALLED', { detail: 'client' })));
    this.#client.socket.destroy();
  }

  #onClientGone(): void {
    this.#client.gone = true;
    this.#down.dropSink();
    this.#end({ code: ABNORMAL, reason: '', by: 'client' });
  }

  /** The first ending counts; later ones only tell that a peer has finished. */
  #end(ending: Ending): void {
    if (this.#ending === undefined) {
      // What stood before a Close in the same chunk goes out before our FIN.
      this.#flushUp();
      this.#ending = ending;
      this.#client.sendClose(ending.code, ending.reason);
      this.#endUpstream();
    }
    if (this.#client.finished) this.#endClient();
    else this.#closeTimer ??= setTimeout(() => this.#endClient(), this.#session.closeMs);
  }

  #endUpstream(): void {
    // The flow that begins in the service is stopped, so that what it still sends is dropped.
    this.#down.stop();
    this.#client.in.flush();
    this.#upstreamEnded = endSocket(this.#upstream, this.#session.closeMs);
  }

  #endClient(): void {
    if (this.#clientEnded !== undefined) return;
    clearTimeout(this.#closeTimer);
    this.#client.in.stop();
    this.#down.flush();
    this.#clientEnded = endSocket(this.#client.socket, this.#session.closeMs);
    void Promise.all([this.#clientEnded, this.#upstreamEnded]).then(() =>
      this.#resolve(this.#ending as Ending),
    );
  }
}
