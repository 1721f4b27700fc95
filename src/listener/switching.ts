import { validateHeaderValue } from 'node:http';
import { acceptOf } from '../frames/accept.ts';
import type { HeaderField } from '../http/request.ts';

/**
 * The head of a 101 that answers the request with these raw headers, in Latin-1: of a WebSocket handshake (RFC 6455 §4.2.2), or
 * one for connect-tcp. Throws if a field cannot be sent.
 */
export function switchingHead(
  rawHeaders: readonly string[],
  protocol: string | undefined,
  fields: readonly HeaderField[],
): string {
  // The request's form has been checked by now: there is exactly one of each.
  const token = valueIn(rawHeaders, 'upgrade').toLowerCase();
  let head = `HTTP/1.1 101 Switching Protocols\r\nUpgrade: ${token}\r\nConnection: Upgrade\r\n`;
  if (token === 'websocket')
    head += `Sec-WebSocket-Accept: ${acceptOf(valueIn(rawHeaders, 'sec-websocket-key'))}\r\n`;
  if (protocol !== undefined) head += `Sec-WebSocket-Protocol: ${protocol}\r\n`;
  for (const [name, value] of fields) {
    validateHeaderValue(name, value);
    head += `${name}: ${value}\r\n`;
  }
  return `${head}\r\n`;
}

function valueIn(rawHeaders: readonly string[], wanted: string): string {
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] as string;
    if (name.length === wanted.length && name.toLowerCase() === wanted) return rawHeaders[at + 1] as string;
  }
  return '';
}
