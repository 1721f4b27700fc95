import { Payload } from './fields.ts';
import { LAYOUTS } from './layouts.ts';
import { MAX_MESSAGE_BYTES, type TcpMessage, TcpProtocolError, TYPES } from './types.ts';

const NAMES = Object.keys(TYPES) as TcpMessage['type'][];

/**
 * Reads one message. Bytes in the result are parts of `bytes`, uncopied. Throws TcpProtocolError for one that is malformed;
 * whether it may come now, and from this side, is the caller's to judge.
 */
export function decodeMessage(bytes: Uint8Array): TcpMessage {
  if (bytes.length > MAX_MESSAGE_BYTES) throw new TcpProtocolError(`a message of ${bytes.length} bytes`);
  const [number = -1] = bytes;
  const type = NAMES[number];
  if (type === undefined) throw new TcpProtocolError(`a message of type ${number}`);
  const payload = new Payload(bytes.subarray(1));
  const fields = Object.entries(LAYOUTS[type]).map(([name, field]) => [name, field.read(payload)]);
  if (payload.left > 0) throw new TcpProtocolError(`${type} with ${payload.left} bytes too many`);
  return { type, ...Object.fromEntries(fields) };
}
