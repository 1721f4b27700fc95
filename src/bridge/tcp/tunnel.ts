import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { asGatewayError, GatewayError } from '../../errors.ts';
import { NORMAL } from '../../frames/close.ts';
import { mask } from '../../frames/mask.ts';
import { CONTINUATION, PING, TEXT } from '../../frames/opcodes.ts';
import {
  CUT,
  type FrameAction,
  type FrameHandler,
  type FrameReader,
  PASS,
  STOP,
  type Violation,
} from '../../frames/reader.ts';
import { frameHeader } from '../../frames/writer.ts';
import { Closing } from '../closing.ts';
import type { Ending, SessionHandle } from '../contract.ts';
import { BridgeLink } from '../link.ts';
import { Peer } from '../peer.ts';
import type { Framing, Outlet } from './framing/contract.ts';
import { TcpEnd } from './tcp-end.ts';

export interface TunnelParts {
  readonly client: Duplex;
  /** What came behind the client's handshake. */
  readonly clientHead: Buffer;
  readonly upstream: Socket;
  /** What messages are to the service's bytes. */
  readonly framing: Framing;
}

/**
 * Joins a WebSocket client to a TCP socket; what messages are to the bytes of the service is the framing's business. RFC 6455
 * has no half-close: a FIN of the service closes with 1000, a Close of the client is flushed and becomes our FIN. Resolves
 * with how the session ended once both are closed.
 */
export function tunnel(parts: TunnelParts, session: SessionHandle): Promise<Ending> {
  const joined = new Tunnel(parts, session);
  joined.start(parts.clientHead);
  return joined.done;
}

class Tunnel implements FrameHandler, Outlet {
  readonly #session: SessionHandle;
  readonly #framing: Framing;
  readonly #closing: Closing;
  readonly #client: Peer;
  readonly #service: TcpEnd;

  constructor({ client, upstream, framing }: TunnelParts, session: SessionHandle) {
    this.#session = session;
    this.#framing = framing;
    const events = new Closing({ closeMs: session.closeMs, relaysClose: false });
    this.#closing = events;
    const take = (chunk: Buffer) => this.#takeUp(chunk);
    this.#client = new Peer({
      name: 'client',
      socket: client,
      session,
      deflate: false,
      maxMessage: Math.min(session.messageSize, framing.maxMessage ?? Infinity),
      frames: this,
      events,
      beforeClose: ({ code }, error) => this.#sayRest(code, error),
      take,
    });
    this.#service = new TcpEnd({
      socket: upstream,
      session,
      take: (chunk) => this.#takeDown(chunk),
      beforeTold: () => this.#flushUp(),
      events,
    });
    this.#client.source.feed(this.#service.sink);
    this.#service.source.feed(this.#client.sink);
    events.join(this.#client, this.#service);
  }

  get done(): Promise<Ending> {
    return this.#closing.done;
  }

  start(clientHead: Buffer): void {
    this.#session.attach(new BridgeLink(this.#closing, [this.#client, this.#service]));
    this.#service.start();
    this.#client.start(clientHead);
  }

  frame(reader: FrameReader): FrameAction {
    if (reader.opcode === TEXT && !this.#framing.text)
      throw new GatewayError('UNSUPPORTED_DATA', { detail: 'a text message' });
    if (this.#client.admitFrame(reader) === STOP) return STOP;
    if (reader.opcode !== CONTINUATION) this.#session.up.messages++;
    this.#framing.frame(reader);
    return PASS;
  }

  payload(bytes: Buffer, from: number, to: number, reader: FrameReader): void {
    this.#session.up.bytes += to - from;
    mask(bytes, from, to, reader.key, reader.length - reader.remaining);
    this.#framing.payload(bytes, from, to, reader);
  }

  /** A TCP service knows no pings: the gateway answers. */
  control(opcode: number, payload: Buffer): FrameAction {
    const action = this.#client.onControl(opcode, payload);
    if (action !== undefined) return action;
    if (this.#client.admit() === STOP) return STOP;
    if (opcode === PING) this.#client.sendPong(payload);
    return CUT;
  }

  raw(): void {}

  boundary(): void {}

  violation(violation: Violation, detail: string, limit?: string): void {
    this.#client.onViolation(violation, detail, limit);
  }

  message(opcode: number, payload: Buffer): void {
    if (!this.#client.takesFrames) return;
    this.frames(frameHeader(opcode, payload.length), 1, payload.length);
    this.#client.sink.write(payload);
  }

  frames(frames: Buffer, messages: number, bytes: number): void {
    if (!this.#client.takesFrames) return;
    this.#session.down.messages += messages;
    this.#session.down.bytes += bytes;
    this.#client.sink.write(frames);
  }

  #takeUp(chunk: Buffer): number {
    const taken = this.#client.receive(chunk);
    this.#flushUp();
    return taken;
  }

  #flushUp(): void {
    const payload = this.#framing.take();
    if (payload !== undefined && !this.#service.isTold) this.#service.sink.write(payload);
  }

  #takeDown(chunk: Buffer): number {
    try {
      this.#framing.down(chunk, this);
    } catch (error) {
      this.#closing.onFailure(this.#service, asGatewayError(error));
    }
    return chunk.length;
  }

  /** What the service had begun when it ended is all there will be of it; what a broken connection has cut is dropped. */
  #sayRest(code: number, error: GatewayError | undefined): void {
    if (code === NORMAL && error === undefined) this.#framing.rest(this);
  }
}
