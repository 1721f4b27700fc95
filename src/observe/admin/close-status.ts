import { type CloseStatus, mayBeSent } from '../../frames/close.ts';
import { MAX_CONTROL_PAYLOAD } from '../../frames/opcodes.ts';
import { badRequest } from '../../http/fields.ts';

/** A Close's, less its code. */
const MAX_REASON = MAX_CONTROL_PAYLOAD - 2;

/** A Close as somebody asks for it. Throws BAD_REQUEST for a code that may not be sent, or a reason that is too long. */
export function closeStatus(code: string, reason: string): CloseStatus {
  if (!/^\d{4}$/.test(code) || !mayBeSent(Number(code)))
    throw badRequest('code is none that may be sent: 1000 to 1003, 1007 to 1014, 3000 to 4999');
  if (Buffer.byteLength(reason) > MAX_REASON) throw badRequest(`reason is longer than ${MAX_REASON} bytes`);
  return { code: Number(code), reason };
}
