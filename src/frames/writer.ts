import { mask } from './mask.ts';

const FIN = 0x80;
const MASKED = 0x80;
const KEY_BYTES = 4;

/**
 * A whole frame in one buffer (RFC 6455 §5.2), for the few the gateway makes itself.
 *
 * @param key masking key: given towards an upstream, where every frame must be masked; undefined towards a client,
 *   where none may be (RFC 6455 §5.1)
 */
export function frame(opcode: number, payload: Buffer, key?: number): Buffer {
  const header = frameHeader(opcode, payload.length, { key });
  const whole = Buffer.concat([header, payload]);
  if (key !== undefined) mask(whole, header.length, whole.length, key, 0);
  return whole;
}

export interface HeaderOptions {
  /** As for `frame`. */
  readonly key?: number | undefined;
  /** False for a fragment that another one follows (RFC 6455 §5.4). */
  readonly fin?: boolean;
}

/** The header of a frame whose payload of `length` bytes follows: final and unmasked unless `options` say otherwise. */
export function frameHeader(opcode: number, length: number, { key, fin = true }: HeaderOptions = {}): Buffer {
  const size = length < 126 ? 2 : length < 65_536 ? 4 : 10;
  const header = Buffer.allocUnsafe(key === undefined ? size : size + KEY_BYTES);
  header[0] = fin ? FIN | opcode : opcode;
  writeLength(header, length);
  if (key !== undefined) {
    header[1] = (header[1] as number) | MASKED;
    header.writeInt32BE(key | 0, size);
  }
  return header;
}

/** Writes the shortest form of a length behind the first byte, as RFC 6455 §5.2 demands. */
function writeLength(header: Buffer, length: number): void {
  if (length < 126) {
    header[1] = length;
  } else if (length < 65_536) {
    header[1] = 126;
    header.writeUInt16BE(length, 2);
  } else {
    header[1] = 127;
    header.writeUInt32BE(Math.floor(length / 2 ** 32), 2);
    header.writeUInt32BE(length >>> 0, 6);
  }
}
