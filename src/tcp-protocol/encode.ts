import { MAX_TEXT_BYTES, type Reason, type TcpMessage, TYPES } from './types.ts';

const text = new TextEncoder();

/** Puts a message into bytes. It must be legal: lengths are the caller's to keep, but for texts, which are cut. */
export function encodeMessage(message: TcpMessage): Uint8Array<ArrayBuffer> {
  const type = TYPES[message.type];
  switch (message.type) {
    case 'DATA':
      return joined(type, message.data);
    case 'FIN':
      return joined(type);
    case 'RESET':
    case 'FAILED':
      return joined(type, reason(message));
    case 'WINDOW':
      return joined(type, u32(message.credit));
    case 'OPENED':
      return joined(
        type,
        message.resumeId,
        u32(message.resumeMs),
        u64(message.expiresAt),
        short(message.session),
        text.encode(message.peer),
      );
    case 'AUTH':
      return joined(type, text.encode(message.accessToken));
    case 'AUTH_OK':
      return joined(type, u64(message.expiresAt));
    case 'ACK':
      return joined(type, u64(message.offset));
    case 'RESUME':
      return joined(type, message.resumeId, u64(message.offset), u32(message.credit));
    case 'RESUMED':
      return joined(type, u64(message.offset), u32(message.credit), u64(message.expiresAt));
  }
}

function joined(type: number, ...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 1));
  whole[0] = type;
  let at = 1;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function reason({ code, error, text: words }: Reason): Uint8Array {
  const bytes = cut(text.encode(words));
  const token = short(error);
  const whole = new Uint8Array(2 + token.length + bytes.length);
  new DataView(whole.buffer).setUint16(0, code);
  whole.set(token, 2);
  whole.set(bytes, 2 + token.length);
  return whole;
}

/** Not amid a character: a continuation byte of UTF-8 is 10xxxxxx (RFC 3629 §3). */
function cut(bytes: Uint8Array): Uint8Array {
  let end = Math.min(bytes.length, MAX_TEXT_BYTES);
  while (end < bytes.length && ((bytes[end] as number) & 0xc0) === 0x80) end--;
  return bytes.subarray(0, end);
}

/** Behind its length in one byte. */
function short(words: string): Uint8Array {
  const bytes = text.encode(words).subarray(0, 255);
  return joined(bytes.length, bytes);
}

function u32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value);
  return bytes;
}

function u64(value: number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(value));
  return bytes;
}
