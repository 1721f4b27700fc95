import type { Duplex } from 'node:stream';
import { mask } from '../../../frames/mask.ts';
import { BINARY, PING, TEXT } from '../../../frames/opcodes.ts';
import {
  CUT,
  type FrameAction,
  type FrameHandler,
  type FrameReader,
  PASS,
  STOP,
  type Violation,
} from '../../../frames/reader.ts';
import { frame, frameHeader } from '../../../frames/writer.ts';
import { SMALL_BYTES } from '../../../stream/read-buffers.ts';
import { encodeMessage } from '../../../tcp-protocol/encode.ts';
import { MAX_DATA_BYTES, MAX_MESSAGE_BYTES, type TcpMessage, TYPES } from '../../../tcp-protocol/types.ts';
import type { EndEvents } from '../../closing.ts';
import type { SessionHandle } from '../../contract.ts';
import { Peer } from '../../peer.ts';
import type { PeerOptions } from '../../peer-options.ts';
import { protocolFault } from './fault.ts';
import { type MessageHandler, MessageReader } from './message-reader.ts';

export interface MessageClientOptions {
  readonly socket: Duplex;
  readonly session: SessionHandle;
  readonly events: EndEvents;
  readonly handler: MessageHandler;
  /** Called when all messages of a chunk have been read. */
  readonly onChunk: () => void;
  /** Called when it has taken all that it was sent, after it had not. */
  readonly onRoom: () => void;
  readonly beforeClose: PeerOptions['beforeClose'];
}

const DATA_TYPE = Buffer.of(TYPES.DATA);
/** The longest of the messages that answer what was sent: ACK. */
const ANSWER_BYTES = 9;
/** A message of DATA may be answered by WINDOW and by ACK. */
const ANSWERS = 2;

/** The client of a connection: a WebSocket peer that speaks sallyport.tcp.v1. */
export class MessageClient implements FrameHandler {
  readonly peer: Peer;
  readonly #session: SessionHandle;
  readonly #messages: MessageReader;
  /** So many messages of the client can be answers to ours: they are not charged. */
  #answers = 0;

  constructor({ socket, session, events, handler, onChunk, onRoom, beforeClose }: MessageClientOptions) {
    this.#session = session;
    this.#messages = new MessageReader(handler);
    const take = (chunk: Buffer) => {
      const taken = this.peer.receive(chunk);
      onChunk();
      return taken;
    };
    const maxMessage = Math.min(session.messageSize, MAX_MESSAGE_BYTES);
    const common = { socket, session, deflate: false, maxMessage, frames: this, events, take, beforeClose };
    this.peer = new Peer({ name: 'client', ...common });
    // Unless it is sent what a source has read: that one stops by itself.
    this.peer.sink.fedBy({ onFull() {}, onRoom, onDrain() {} });
  }

  /** It has not taken what it was sent. */
  get isFull(): boolean {
    return this.peer.sink.isFull;
  }

  send(message: TcpMessage): void {
    if (this.peer.takesFrames) this.peer.sink.write(frame(BINARY, Buffer.from(encodeMessage(message))));
  }

  /** Sends bytes of the stream, uncopied, in as many messages as it takes. */
  sendData(bytes: Buffer): void {
    if (!this.peer.takesFrames) return;
    for (let at = 0; at < bytes.length; at += MAX_DATA_BYTES)
      this.#sendOne(bytes.subarray(at, at + MAX_DATA_BYTES));
    // Known at once whether it is taken: in one turn a service may be read many times.
    if (bytes.length > SMALL_BYTES) this.peer.sink.flush();
  }

  frame(reader: FrameReader): FrameAction {
    if (reader.opcode === TEXT) throw protocolFault('a text message');
    if (!this.#isAnswer(reader) && this.peer.admitFrame(reader) === STOP) return STOP;
    this.#messages.frame(reader);
    return PASS;
  }

  payload(bytes: Buffer, from: number, to: number, reader: FrameReader): void {
    mask(bytes, from, to, reader.key, reader.length - reader.remaining);
    this.#messages.payload(bytes, from, to, reader);
  }

  control(opcode: number, payload: Buffer): FrameAction {
    const action = this.peer.onControl(opcode, payload);
    if (action !== undefined) return action;
    if (this.peer.admit() === STOP) return STOP;
    if (opcode === PING) this.peer.sendPong(payload);
    return CUT;
  }

  raw(): void {}

  boundary(): void {}

  violation(violation: Violation, detail: string, limit?: string): void {
    this.peer.onViolation(violation, detail, limit);
  }

  #sendOne(bytes: Buffer): void {
    const { down } = this.#session;
    down.messages++;
    down.bytes += bytes.length;
    this.#answers += ANSWERS;
    this.peer.sink.write(Buffer.concat([frameHeader(BINARY, bytes.length + 1), DATA_TYPE]));
    this.peer.sink.write(bytes);
  }

  /** Its type is not known before its payload comes; but nothing longer answers what we have sent. */
  #isAnswer({ opcode, fin, length }: FrameReader): boolean {
    if (opcode !== BINARY || !fin || length > ANSWER_BYTES || this.#answers === 0) return false;
    this.#answers--;
    return true;
  }
}
