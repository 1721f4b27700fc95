import type { Duplex } from 'node:stream';
import { CONTINUATION } from '../frames/opcodes.ts';
import {
  type FrameAction,
  type FrameHandler,
  type FrameReader,
  PASS,
  STOP,
  type Violation,
} from '../frames/reader.ts';
import { Closing } from './closing.ts';
import type { Ending, SessionHandle, Traffic } from './contract.ts';
import { BridgeLink } from './link.ts';
import { Peer } from './peer.ts';

/** One direction of a relay: the frames of one peer go on, as they came, to the other. */
class Direction implements FrameHandler {
  readonly from: Peer;
  readonly #traffic: Traffic;
  #to!: Peer;

  constructor(options: Omit<ConstructorParameters<typeof Peer>[0], 'frames'>, traffic: Traffic) {
    this.from = new Peer({ ...options, frames: this });
    this.#traffic = traffic;
  }

  leadTo(to: Peer): void {
    this.#to = to;
    to.carry(this.from);
  }

  frame(reader: FrameReader): FrameAction {
    if (this.from.admitFrame(reader) === STOP) return STOP;
    if (reader.opcode !== CONTINUATION) this.#traffic.messages++;
    return PASS;
  }

  payload(_bytes: Buffer, from: number, to: number): void {
    this.#traffic.bytes += to - from;
  }

  raw(bytes: Buffer, from: number, to: number): void {
    // After a Close nothing may follow it (RFC 6455 §5.5.1).
    if (!this.#to.takesFrames) return;
    this.#to.sink.write(from === 0 && to === bytes.length ? bytes : bytes.subarray(from, to));
  }

  /** Pings and pongs pass from end to end; a client's count against its message rate like its messages. */
  control(opcode: number, payload: Buffer): FrameAction {
    return this.from.onControl(opcode, payload) ?? this.from.admit();
  }

  boundary(): void {
    this.#to.flushWaiting();
  }

  violation(violation: Violation, detail: string, limit?: string): void {
    this.from.onViolation(violation, detail, limit);
  }
}

export interface RelayParts {
  readonly client: Duplex;
  readonly upstream: Duplex;
  /** What came behind the client's handshake, and behind the upstream's. */
  readonly clientHead: Buffer;
  readonly upstreamHead: Buffer;
  /** permessage-deflate was negotiated, from end to end. */
  readonly deflate: boolean;
}

/**
 * Joins two WebSocket peers: frames are checked, counted and forwarded as the bytes they came as, uncopied and still
 * masked (frames are relayed, messages are not rebuilt). Resolves with how the session ended once both sockets are closed.
 */
export function relay(parts: RelayParts, session: SessionHandle): Promise<Ending> {
  const { deflate } = parts;
  const events = new Closing({ closeMs: session.closeMs, relaysClose: true });
  const common = { session, deflate, events };
  const up = new Direction({ ...common, name: 'client', socket: parts.client }, session.up);
  const down = new Direction({ ...common, name: 'upstream', socket: parts.upstream }, session.down);
  up.leadTo(down.from);
  down.leadTo(up.from);
  events.join(up.from, down.from);
  session.attach(new BridgeLink(events, [up.from, down.from]));
  down.from.start(parts.upstreamHead);
  up.from.start(parts.clientHead);
  return events.done;
}
