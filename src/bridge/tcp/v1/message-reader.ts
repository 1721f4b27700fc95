import { CONTINUATION } from '../../../frames/opcodes.ts';
import type { FrameReader } from '../../../frames/reader.ts';
import { decodeMessage } from '../../../tcp-protocol/decode.ts';
import { MAX_TOKEN_BYTES, type TcpMessage, TcpProtocolError, TYPES } from '../../../tcp-protocol/types.ts';
import { Backlog } from '../backlog.ts';
import { protocolFault } from './fault.ts';

/** Who is told of messages. What it throws passes through. */
export interface MessageHandler {
  /** `bytes[from, to)` is a piece of DATA, the first of its message or a further one. */
  data(bytes: Buffer, from: number, to: number, isFirst: boolean): void;
  /** A whole message of another type. */
  message(message: Exclude<TcpMessage, { type: 'DATA' }>): void;
}

const NOTHING = Buffer.alloc(0);
/** The longest but DATA: AUTH. */
const MAX_KEPT_BYTES = 1 + MAX_TOKEN_BYTES;

/**
 * Reads messages from the payload of frames. DATA passes as it comes, however long its message is; all others are short, and
 * kept until they are whole. Throws PROTOCOL_ERROR for what is malformed.
 */
export class MessageReader {
  readonly #handler: MessageHandler;
  /** Of the message at hand; undefined while none of it has come. */
  #type: number | undefined;
  /** Bytes of it so far. */
  #length = 0;
  /** However many fragments it comes in. */
  readonly #kept = new Backlog();

  constructor(handler: MessageHandler) {
    this.#handler = handler;
  }

  /** A frame begins; one that is empty and the last ends its message here. */
  frame({ opcode, length, fin }: FrameReader): void {
    if (opcode !== CONTINUATION) {
      this.#type = undefined;
      this.#length = 0;
    }
    if (fin && length === 0) this.#end();
  }

  /** `bytes[from, to)` is a piece of its payload, unmasked. */
  payload(bytes: Buffer, from: number, to: number, { fin, remaining }: FrameReader): void {
    this.#type ??= bytes[from];
    if (this.#type === TYPES.DATA) this.#pass(bytes, from, to);
    else this.#keep(bytes.subarray(from, to));
    this.#length += to - from;
    if (fin && remaining === to - from) this.#end();
  }

  #pass(bytes: Buffer, from: number, to: number): void {
    const begin = this.#length === 0 ? from + 1 : from;
    if (begin < to) this.#handler.data(bytes, begin, to, this.#length <= 1);
  }

  #keep(bytes: Buffer): void {
    const total = this.#length + bytes.length;
    if (total > MAX_KEPT_BYTES)
      throw protocolFault(`a message of type ${this.#type} and at least ${total} bytes`);
    this.#kept.add(bytes);
  }

  #end(): void {
    if (this.#type === TYPES.DATA) {
      if (this.#length === 1) throw protocolFault('DATA of 0 bytes');
      return;
    }
    const message = decode(this.#kept.take() ?? NOTHING);
    if (message.type !== 'DATA') this.#handler.message(message);
  }
}

function decode(bytes: Buffer): TcpMessage {
  try {
    return decodeMessage(bytes);
  } catch (error) {
    throw error instanceof TcpProtocolError ? protocolFault(error.message) : error;
  }
}
