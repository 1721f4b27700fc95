import {
  MAX_MESSAGE_BYTES,
  MAX_TEXT_BYTES,
  MAX_TOKEN_BYTES,
  RESUME_ID_BYTES,
  type Reason,
  type TcpMessage,
  TcpProtocolError,
  TYPES,
} from './types.ts';

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Reads one message. Bytes in the result are parts of `bytes`, uncopied. Throws TcpProtocolError for one that is malformed;
 * whether it may come now, and from this side, is the caller's to judge.
 */
export function decodeMessage(bytes: Uint8Array): TcpMessage {
  if (bytes.length > MAX_MESSAGE_BYTES) throw new TcpProtocolError(`a message of ${bytes.length} bytes`);
  const payload = new Payload(bytes.subarray(1));
  const message = read(bytes[0], payload);
  if (payload.left > 0) throw new TcpProtocolError(`${message.type} with ${payload.left} bytes too many`);
  return message;
}

/** By type, what reads its payload. */
const READERS: Readonly<Record<number, (payload: Payload) => TcpMessage>> = {
  [TYPES.DATA]: (payload) => ({ type: 'DATA', data: payload.some('DATA') }),
  [TYPES.FIN]: () => ({ type: 'FIN' }),
  [TYPES.RESET]: (payload) => ({ type: 'RESET', ...reason(payload) }),
  [TYPES.WINDOW]: (payload) => ({ type: 'WINDOW', credit: positive(payload.u32()) }),
  [TYPES.OPENED]: (payload) => ({
    type: 'OPENED',
    resumeId: payload.bytes(RESUME_ID_BYTES),
    resumeMs: payload.u32(),
    expiresAt: payload.u64(),
    session: payload.text(payload.u8()),
    peer: payload.text(),
  }),
  [TYPES.FAILED]: (payload) => ({ type: 'FAILED', ...reason(payload) }),
  [TYPES.AUTH]: (payload) => ({ type: 'AUTH', accessToken: textOf(payload.some('AUTH', MAX_TOKEN_BYTES)) }),
  [TYPES.AUTH_OK]: (payload) => ({ type: 'AUTH_OK', expiresAt: payload.u64() }),
  [TYPES.ACK]: (payload) => ({ type: 'ACK', offset: payload.u64() }),
  [TYPES.RESUME]: (payload) => ({
    type: 'RESUME',
    resumeId: payload.bytes(RESUME_ID_BYTES),
    offset: payload.u64(),
    credit: payload.u32(),
  }),
  [TYPES.RESUMED]: (payload) => ({
    type: 'RESUMED',
    offset: payload.u64(),
    credit: payload.u32(),
    expiresAt: payload.u64(),
  }),
};

function read(type: number | undefined, payload: Payload): TcpMessage {
  if (type === undefined) throw new TcpProtocolError('an empty message');
  const reader = READERS[type];
  if (reader === undefined) throw new TcpProtocolError(`a message of type ${type}`);
  return reader(payload);
}

function reason(payload: Payload): Reason {
  const code = payload.u16();
  const error = payload.text(payload.u8());
  if (payload.left > MAX_TEXT_BYTES) throw new TcpProtocolError(`a reason of ${payload.left} bytes`);
  return { code, error, text: payload.text() };
}

function positive(credit: number): number {
  if (credit === 0) throw new TcpProtocolError('a credit of 0');
  return credit;
}

function textOf(bytes: Uint8Array): string {
  try {
    return strict.decode(bytes);
  } catch {
    throw new TcpProtocolError('a text that is not UTF-8');
  }
}

/** What follows the type, read from its beginning. */
class Payload {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  bytes(count = this.left): Uint8Array {
    const from = this.#take(count);
    return this.#bytes.subarray(from, from + count);
  }

  /** All that is left: at least one byte, at most `most`. */
  some(type: string, most = Infinity): Uint8Array {
    if (this.left === 0 || this.left > most) throw new TcpProtocolError(`${type} of ${this.left} bytes`);
    return this.bytes();
  }

  text(count = this.left): string {
    return textOf(this.bytes(count));
  }

  u8(): number {
    return this.#view.getUint8(this.#take(1));
  }

  u16(): number {
    return this.#view.getUint16(this.#take(2));
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4));
  }

  /** As far as a number is exact: no stream has so many bytes, and no clock so many milliseconds. */
  u64(): number {
    const value = this.#view.getBigUint64(this.#take(8));
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw new TcpProtocolError('a number beyond 2^53');
    return Number(value);
  }

  #take(count: number): number {
    if (count > this.left) throw new TcpProtocolError('a message that is cut short');
    const from = this.#at;
    this.#at += count;
    return from;
  }
}
