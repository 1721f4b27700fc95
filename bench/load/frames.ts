import { TYPES } from '../../src/tcp-protocol/types.ts';

/** WebSocket frames as a load needs them: built once, and what comes back counted. */

const BINARY = 0x82;
const PONG = 0x8a;

/**
 * A masked binary frame of `size` payload bytes. The masking key 00 00 00 00 leaves the payload as it is, so that
 * neither we nor an echo spend time on it.
 */
export function clientFrame(payload: Buffer, key = Buffer.alloc(4)): Buffer {
  const masked = payload.map((byte, at) => byte ^ (key[at & 3] as number));
  return Buffer.concat([clientHeader(BINARY, payload.length), key, masked]);
}

/** An answer to a ping. */
export function pong(payload: Buffer): Buffer {
  return Buffer.concat([clientHeader(PONG, payload.length), Buffer.alloc(4), payload]);
}

/** A Close with code 1000. */
export const CLOSE = Buffer.from([0x88, 0x82, 0, 0, 0, 0, 1000 >> 8, 1000 & 255]);

function clientHeader(first: number, size: number): Buffer {
  if (size < 126) return Buffer.from([first, 0x80 | size]);
  if (size < 65_536) return Buffer.from([first, 0x80 | 126, size >> 8, size & 255]);
  const header = Buffer.from([first, 0x80 | 127, 0, 0, 0, 0, 0, 0, 0, 0]);
  header.writeUInt32BE(size, 6);
  return header;
}

/** Control frames that came from a server. */
export interface ControlListener {
  onPing(payload: Buffer): void;
  onClose(payload: Buffer): void;
  /** A message of sallyport.tcp.v1 that is not DATA. Absent: payload is what frames hold. */
  onMessage?(message: Buffer): void;
}

/**
 * Counts the payload in a server's frames, however they are cut: relays may re-frame, so messages are not looked at,
 * only bytes.
 */
export class PayloadCounter {
  /** Payload bytes of the current data frame that are still to come. */
  #left = 0;
  /** The start of a header, or of a control frame, whose rest is still to come. */
  #partial: Buffer | undefined;
  readonly #listener: ControlListener;
  /** Where payload is copied to, once this is set. */
  kept: Buffer[] | undefined;

  constructor(listener: ControlListener) {
    this.#listener = listener;
  }

  /** Payload bytes of data frames among the first `length` bytes. */
  count(bytes: Buffer, length: number): number {
    if (this.#partial === undefined) return this.#walk(bytes, length);
    const joined = Buffer.concat([this.#partial, bytes.subarray(0, length)]);
    this.#partial = undefined;
    return this.#walk(joined, joined.length);
  }

  #walk(bytes: Buffer, length: number): number {
    let payload = 0;
    let at = 0;
    while (at < length) {
      if (this.#left === 0) {
        const start = this.#header(bytes, at, length);
        if (start < 0) break;
        at = start;
      }
      const step = Math.min(this.#left, length - at);
      this.kept?.push(Buffer.from(bytes.subarray(at, at + step)));
      this.#left -= step;
      payload += step;
      at += step;
    }
    return payload;
  }

  /** Reads the header at `at`: where its payload starts, past it for a control frame; -1 if it is not all there. */
  #header(bytes: Buffer, at: number, length: number): number {
    const short = (bytes[at + 1] as number) & 127;
    const size = short < 126 ? 2 : short === 126 ? 4 : 10;
    const control = (bytes[at] as number) & 8;
    if (length - at < 2 || length - at < size + (control ? short : 0)) {
      this.#partial = Buffer.from(bytes.subarray(at, length));
      return -1;
    }
    if (control) return this.#control(bytes, at, short);
    if (this.#listener.onMessage !== undefined) return this.#typed(bytes, at, length, size);
    if (short < 126) this.#left = short;
    else this.#left = short === 126 ? bytes.readUInt16BE(at + 2) : bytes.readUInt32BE(at + 6);
    return at + size;
  }

  /** A message with its type for its first byte: all of it must be there, but for the bytes of DATA. */
  #typed(bytes: Buffer, at: number, length: number, size: number): number {
    const short = (bytes[at + 1] as number) & 127;
    const whole =
      short < 126 ? short : short === 126 ? bytes.readUInt16BE(at + 2) : bytes.readUInt32BE(at + 6);
    const isData = length - at > size && bytes[at + size] === TYPES.DATA;
    if (length - at < size + (isData ? 1 : whole)) {
      this.#partial = Buffer.from(bytes.subarray(at, length));
      return -1;
    }
    if (!isData) this.#listener.onMessage?.(bytes.subarray(at + size, at + size + whole));
    this.#left = isData ? whole - 1 : 0;
    return at + size + (isData ? 1 : whole);
  }

  #control(bytes: Buffer, at: number, size: number): number {
    const payload = bytes.subarray(at + 2, at + 2 + size);
    const opcode = (bytes[at] as number) & 15;
    if (opcode === 8) this.#listener.onClose(payload);
    if (opcode === 9) this.#listener.onPing(payload);
    return at + 2 + size;
  }
}
