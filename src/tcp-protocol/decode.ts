import { Payload } from './fields.ts';
import { LAYOUTS, NAMES } from './layouts.ts';
import { type TcpMessage, TcpProtocolError } from './types.ts';

/**
 * Reads one message. Bytes in the result are parts of `bytes`, uncopied. Throws TcpProtocolError for one that is malformed;
 * whether it may come now, and from this side, is the caller's to judge.
 */
export function decodeMessage(bytes: Uint8Array): TcpMessage {
  const [number = -1] = bytes;
  const type = NAMES[number];
  if (type === undefined) throw new TcpProtocolError(`a message of type ${number}`);
  const payload = new Payload(bytes.subarray(1));
  const fields = Object.entries(LAYOUTS[type]).map(([name, field]) => [name, field.read(payload)]);
  if (payload.rest.length > 0) throw new TcpProtocolError(`${type} is too long`);
  return { type, ...Object.fromEntries(fields) };
}
