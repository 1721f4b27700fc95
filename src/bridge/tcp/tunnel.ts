import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { GatewayError } from '../../errors.ts';
import { mask } from '../../frames/mask.ts';
import { BINARY, CONTINUATION, PING, TEXT } from '../../frames/opcodes.ts';
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
import { Gathered } from './gathered.ts';
import { TcpEnd } from './tcp-end.ts';

export interface TunnelParts {
  readonly client: Duplex;
  /** What came behind the client's handshake. */
  readonly clientHead: Buffer;
  readonly upstream: Socket;
  /** Text messages are taken too, as their UTF-8 bytes. */
  readonly text: boolean;
}

/**
 * Joins a WebSocket client to a TCP socket: payload bytes go through as they come, never assembled into messages; what
 * the service sends goes back as one binary message a read. RFC 6455 has no half-close: a FIN of the service closes with
 * 1000, a Close of the client is flushed and becomes our FIN. Resolves with how the session ended once both are closed.
 */
export function tunnel(parts: TunnelParts, session: SessionHandle): Promise<Ending> {
  const joined = new Tunnel(parts, session);
  joined.start(parts.clientHead);
  return joined.done;
}

class Tunnel implements FrameHandler {
  readonly #session: SessionHandle;
  readonly #text: boolean;
  readonly #closing: Closing;
  readonly #client: Peer;
  readonly #service: TcpEnd;
  readonly #gathered = new Gathered();

  constructor({ client, upstream, text }: TunnelParts, session: SessionHandle) {
    this.#session = session;
    this.#text = text;
    const events = new Closing({ closeMs: session.closeMs, relaysClose: false });
    this.#closing = events;
    const take = (chunk: Buffer) => this.#takeUp(chunk);
    this.#client = new Peer({
      name: 'client',
      socket: client,
      session,
      deflate: false,
      frames: this,
      events,
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
    if (reader.opcode === TEXT && !this.#text)
      throw new GatewayError('UNSUPPORTED_DATA', { detail: 'a text message' });
    if (this.#client.admitFrame(reader) === STOP) return STOP;
    if (reader.opcode !== CONTINUATION) this.#session.up.messages++;
    return PASS;
  }

  payload(bytes: Buffer, from: number, to: number, reader: FrameReader): void {
    this.#session.up.bytes += to - from;
    mask(bytes, from, to, reader.key, reader.length - reader.remaining);
    this.#gathered.add(bytes, from, to);
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

  #takeUp(chunk: Buffer): number {
    const taken = this.#client.receive(chunk);
    this.#flushUp();
    return taken;
  }

  #flushUp(): void {
    const payload = this.#gathered.take();
    if (payload !== undefined && !this.#service.isTold) this.#service.sink.write(payload);
  }

  #takeDown(chunk: Buffer): number {
    if (!this.#client.takesFrames) return chunk.length;
    this.#session.down.messages++;
    this.#session.down.bytes += chunk.length;
    this.#client.sink.write(frameHeader(BINARY, chunk.length));
    this.#client.sink.write(chunk);
    return chunk.length;
  }
}
