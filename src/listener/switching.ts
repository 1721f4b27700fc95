import { validateHeaderValue } from 'node:http';
import { acceptOf } from '../frames/accept.ts';
import type { HeaderField } from '../http/request.ts';

/** The head of a 101 (RFC 6455 §4.2.2) that answers the handshake with these raw headers, in Latin-1. Throws if a field cannot be sent. */
export function switchingHead(
  rawHeaders: readonly string[],
  protocol: string | undefined,
  fields: readonly HeaderField[],
): string {
  let head = 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n';
  head += `Sec-WebSocket-Accept: ${acceptOf(keyIn(rawHeaders))}\r\n`;
  if (protocol !== undefined) head += `Sec-WebSocket-Protocol: ${protocol}\r\n`;
  for (const [name, value] of fields) {
    validateHeaderValue(name, value);
    head += `${name}: ${value}\r\n`;
  }
  return `${head}\r\n`;
}

const KEY = 'sec-websocket-key';

/** The handshake's form has been checked by now: there is exactly one. */
function keyIn(rawHeaders: readonly string[]): string {
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] as string;
    if (name.length === KEY.length && name.toLowerCase() === KEY) return rawHeaders[at + 1] as string;
  }
  return '';
}
