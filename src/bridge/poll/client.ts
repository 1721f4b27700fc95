import type { Duplex } from 'node:stream';
import { CONTINUATION, PING, PONG } from '../../frames/opcodes.ts';
import {
  CUT,
  type FrameAction,
  type FrameHandler,
  type FrameReader,
  PASS,
  STOP,
  type Violation,
} from '../../frames/reader.ts';
import type { EndEvents } from '../closing.ts';
import type { SessionHandle } from '../contract.ts';
import { Peer } from '../peer.ts';
import { Acknowledgement } from './acknowledgement.ts';
import { Assembler } from './assembler.ts';
import { deliver } from './delivery.ts';
import type { Message } from './profile.ts';

/** Where a route sets no limit: a message is held whole, so there has to be one. */
const DEFAULT_MESSAGE_SIZE = 1024 * 1024;

export interface PollClientParts {
  readonly socket: Duplex;
  readonly session: SessionHandle;
  readonly events: EndEvents;
  /** A message the session has admitted. */
  readonly onMessage: (message: Message) => void;
  /** It does not confirm what it was sent, though it is read. */
  readonly onSilence?: () => void;
}

/** The client's side of a poll session: a WebSocket peer that takes and gives whole messages. */
export class PollClient implements FrameHandler {
  readonly peer: Peer;
  readonly #session: SessionHandle;
  readonly #assembler: Assembler;
  readonly #onSilence: () => void;
  /** Where it has been asked to confirm something. */
  #acknowledgement: Acknowledgement | undefined;

  constructor({ socket, session, events, onMessage, onSilence = () => {} }: PollClientParts) {
    const maxMessage = session.messageSize === Infinity ? DEFAULT_MESSAGE_SIZE : session.messageSize;
    this.#session = session;
    this.peer = new Peer({
      name: 'client',
      socket,
      session,
      deflate: false,
      maxMessage,
      frames: this,
      events,
    });
    this.#assembler = new Assembler(onMessage);
    this.#onSilence = onSilence;
  }

  /** Sends the messages, in order. Resolves with true when the kernel has them all, with false if none may be sent any more. */
  deliver(messages: readonly Message[]): Promise<boolean> {
    return deliver(this.peer, messages, this.#session.down);
  }

  /** Resolves with true when it has read what was sent to it; with false when `signal` aborts. */
  confirm(signal: AbortSignal): Promise<boolean> {
    this.#acknowledgement ??= new Acknowledgement(this.peer, this.#session.stallMs, this.#onSilence);
    return this.#acknowledgement.ask(signal);
  }

  frame(reader: FrameReader): FrameAction {
    // One read may bring more than may wait to be sent.
    if (this.peer.source.isPaused || this.peer.admitFrame(reader) === STOP) return STOP;
    if (reader.opcode !== CONTINUATION) this.#session.up.messages++;
    this.#assembler.begin(reader);
    return PASS;
  }

  payload(bytes: Buffer, from: number, to: number, reader: FrameReader): void {
    this.#session.up.bytes += to - from;
    this.#assembler.add(bytes, from, to, reader);
  }

  raw(): void {}

  /** An HTTP service knows no pings: the gateway answers. */
  control(opcode: number, payload: Buffer): FrameAction {
    if (opcode === PONG && this.#acknowledgement?.isAnswer(payload)) return CUT;
    const settled = this.peer.onControl(opcode, payload);
    if (opcode === PONG && settled !== undefined) this.#acknowledgement?.remind();
    const action = settled ?? this.peer.admit();
    if (action === STOP) return STOP;
    if (opcode === PING) this.peer.sendPong(payload);
    return CUT;
  }

  boundary(): void {}

  violation(violation: Violation, detail: string, limit?: string): void {
    this.peer.onViolation(violation, detail, limit);
  }
}
