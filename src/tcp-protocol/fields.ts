import { TcpProtocolError } from './types.ts';

/** How one field of a message stands in its payload. */
export interface Field<T> {
  /** Throws TcpProtocolError. */
  read(payload: Payload): T;
  write(value: T): Uint8Array;
}

/** Puts texts into UTF-8. */
export const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** What follows the type, read from its beginning. */
export class Payload {
  /** All that is left. */
  rest: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.rest = bytes;
  }

  /** The next bytes, uncopied. */
  take(count: number): Uint8Array {
    if (count > this.rest.length) throw new TcpProtocolError('cut short');
    const taken = this.rest.subarray(0, count);
    this.rest = this.rest.subarray(count);
    return taken;
  }
}

/** An unsigned number of so many bytes, from `least` on; as far as a number is exact: no stream has so many bytes, and no clock so many milliseconds. */
export function uint(size: number, least = 0): Field<number> {
  return {
    read(payload) {
      const value = payload.take(size).reduce((sum, byte) => sum * 256 + byte, 0);
      if (value < least || value > Number.MAX_SAFE_INTEGER)
        throw new TcpProtocolError(`a number of ${value}`);
      return value;
    },
    write(value) {
      const bytes = new Uint8Array(size);
      for (let at = size, rest = value; at-- > 0; rest = Math.floor(rest / 256)) bytes[at] = rest;
      return bytes;
    },
  };
}

/** As many bytes as `count` says. */
export function bytes(count: (payload: Payload) => number): Field<Uint8Array> {
  return { read: (payload) => payload.take(count(payload)), write: (value) => value };
}

/** All that is left. */
export function rest(least: number, most: number): Field<Uint8Array> {
  return bytes(({ rest: { length } }) => {
    if (length < least || length > most) throw new TcpProtocolError(`${length} bytes at the end`);
    return length;
  });
}

const length = uint(1);

/** As many bytes as the byte before them says. */
export const short: Field<Uint8Array> = {
  ...bytes(length.read),
  write: (value) => Uint8Array.of(value.length, ...value),
};

/** A text in such bytes; one that is longer than `most` bytes is cut. */
export function text(field: Field<Uint8Array>, most = Infinity): Field<string> {
  return {
    read(payload) {
      const encoded = field.read(payload);
      try {
        return decoder.decode(encoded);
      } catch {
        throw new TcpProtocolError('not UTF-8');
      }
    },
    write: (value) => field.write(cut(encoder.encode(value), most)),
  };
}

/** Not amid a character: a continuation byte of UTF-8 is 10xxxxxx (RFC 3629 §3). */
function cut(encoded: Uint8Array, most: number): Uint8Array {
  let end = Math.min(encoded.length, most);
  while (end < encoded.length && ((encoded[end] as number) & 0xc0) === 0x80) end--;
  return encoded.subarray(0, end);
}
