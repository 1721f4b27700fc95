import { isUtf8 } from 'node:buffer';
import { MAX_CONTROL_PAYLOAD } from './opcodes.ts';

/** No code was in the Close frame; never sent itself (RFC 6455 §7.4.1). */
export const NO_STATUS = 1005;
/** The connection ended without a Close frame; never sent itself (RFC 6455 §7.4.1). */
export const ABNORMAL = 1006;
export const NORMAL = 1000;
/** A page was left, a server is going down: no fault of whoever reads it (RFC 6455 §7.4.1). */
export const GOING_AWAY = 1001;

const MAX_REASON = MAX_CONTROL_PAYLOAD - 2;

/** What a Close frame says; `code` is NO_STATUS for an empty one. */
export interface CloseStatus {
  readonly code: number;
  readonly reason: string;
}

/**
 * Whether a code may stand in a Close frame: 1000–1003, 1007–1014 (RFC 6455 §7.4.1 and IANA's registry),
 * 3000–4999 (RFC 6455 §7.4.2). 1004 is reserved, 1005, 1006 and 1015 never go on the wire.
 */
export function mayBeSent(code: number): boolean {
  return (code >= 1000 && code <= 1014 && (code < 1004 || code > 1006)) || (code >= 3000 && code <= 4999);
}

/** Whether a code says that whoever sends it has failed: the 5xx of WebSockets (RFC 6455 §7.4.1 and IANA's registry). */
export function isFailure(code: number): boolean {
  return code >= 1011 && code <= 1014;
}

/** Reads the payload of a Close frame; undefined if it breaks RFC 6455 §5.5.1. `'utf8'` if only its reason is not UTF-8. */
export function readClose(payload: Buffer): CloseStatus | 'utf8' | undefined {
  if (payload.length === 0) return { code: NO_STATUS, reason: '' };
  if (payload.length === 1) return undefined;
  const code = payload.readUInt16BE(0);
  if (!mayBeSent(code)) return undefined;
  const reason = payload.subarray(2);
  return isUtf8(reason) ? { code, reason: reason.toString('utf8') } : 'utf8';
}

/**
 * The payload of a Close frame. A code that may not be sent gives an empty one; a reason is cut, on a character's
 * border, to the 123 bytes that fit (RFC 6455 §5.5.1).
 */
export function closePayload(code: number, reason: string): Buffer {
  if (!mayBeSent(code)) return Buffer.alloc(0);
  const text = Buffer.from(reason, 'utf8');
  const payload = Buffer.alloc(2 + borderBefore(text, MAX_REASON));
  payload.writeUInt16BE(code, 0);
  text.copy(payload, 2);
  return payload;
}

/** The last place at or before `limit` where a UTF-8 character ends. */
function borderBefore(text: Buffer, limit: number): number {
  if (text.length <= limit) return text.length;
  let end = limit;
  while (end > 0 && ((text[end] as number) & 0xc0) === 0x80) end--;
  return end;
}
