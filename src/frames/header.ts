import { BINARY, CLOSE, CONTINUATION, MAX_CONTROL_PAYLOAD, PONG } from './opcodes.ts';

export interface ReaderOptions {
  /** Clients mask every frame, servers none (RFC 6455 §5.1): what to demand here. */
  readonly masked: boolean;
  /** permessage-deflate was negotiated: RSV1 may be set on a message's first frame (RFC 7692 §6). */
  readonly deflate: boolean;
  /** Largest message in bytes over all its fragments, as on the wire. */
  readonly maxMessage: number;
  /** Most frames one message may come in, at least 1; Infinity: any number. Empty ones cost the next hop as much as others. */
  readonly maxFragments: number;
}

/**
 * What is wrong with a header, as far as its first two bytes tell (RFC 6455 §5.2, §5.4, §5.5): words for the log;
 * undefined if nothing is.
 *
 * @param first the first byte: FIN, RSV1–3, opcode
 * @param masked the mask bit
 * @param short the 7-bit length
 * @param fragmented a message has begun whose final fragment has not come
 */
export function headerFault(
  first: number,
  masked: boolean,
  short: number,
  fragmented: boolean,
  options: ReaderOptions,
): string | undefined {
  if ((first & 0x30) !== 0) return 'RSV2 or RSV3 is set';
  if (masked !== options.masked)
    return masked ? 'a masked frame from a server' : 'an unmasked frame from a client';
  return (first & 0x0f) >= CLOSE ? controlFault(first, short) : dataFault(first, fragmented, options.deflate);
}

function controlFault(first: number, short: number): string | undefined {
  const opcode = first & 0x0f;
  if (opcode > PONG) return `reserved opcode ${opcode}`;
  if (first < 0x80) return 'a fragmented control frame';
  if (short > MAX_CONTROL_PAYLOAD) return 'a control frame over 125 bytes';
  return (first & 0x40) === 0 ? undefined : 'RSV1 is set on a control frame';
}

function dataFault(first: number, fragmented: boolean, deflate: boolean): string | undefined {
  const opcode = first & 0x0f;
  if (opcode > BINARY) return `reserved opcode ${opcode}`;
  if (opcode === CONTINUATION && !fragmented) return 'a continuation of nothing';
  if (opcode !== CONTINUATION && fragmented) return 'a new message inside a fragmented one';
  if ((first & 0x40) === 0) return undefined;
  if (!deflate) return 'RSV1 is set without permessage-deflate';
  return opcode === CONTINUATION ? 'RSV1 is set on a continuation' : undefined;
}

/** A 16- or 64-bit length of `size` bytes; -1 for one with its top bit set, which RFC 6455 §5.2 forbids. */
export function readLength(bytes: Buffer, at: number, size: number): number {
  if (size === 2) return bytes.readUInt16BE(at);
  const high = bytes.readUInt32BE(at);
  return high >= 2 ** 31 ? -1 : high * 2 ** 32 + bytes.readUInt32BE(at + 4);
}

/** A masking key as a big-endian 32-bit integer; without the checks of `readInt32BE`, for the caller has made them. */
export function readKey(bytes: Buffer, at: number): number {
  const high = ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
  const low = ((bytes[at + 2] as number) << 8) | (bytes[at + 3] as number);
  return (high << 16) | low;
}
