import { validateHeaderValue } from 'node:http';
import type { Duplex } from 'node:stream';
import type { GatewayError } from '../errors.ts';
import { acceptOf } from '../frames/accept.ts';
import { closePayload } from '../frames/close.ts';
import { CLOSE } from '../frames/opcodes.ts';
import { frame } from '../frames/writer.ts';
import type { HeaderField, UpgradeRequest } from '../http/request.ts';
import { writeRefusal } from './refusal.ts';

const CLOSE_LINGER_MS = 2_000;

/** Writes the 101 (RFC 6455 §4.2.2) that answers `key`. Throws if a field cannot be sent. */
export function writeAccept(
  socket: Duplex,
  key: string,
  protocol: string | undefined,
  fields: readonly HeaderField[],
): void {
  socket.write(switching(key, protocol, fields), 'latin1');
}

/** Answers an upgrade that is refused: with an HTTP status, or, where scripts are to see why, with a Close after a 101. */
export function refuseUpgrade(
  socket: Duplex,
  error: GatewayError,
  request: UpgradeRequest | undefined,
  byClose: boolean,
): void {
  if (!byClose || request === undefined || socket.destroyed || !socket.writable) {
    writeRefusal(socket, error);
    return;
  }
  const close = frame(CLOSE, closePayload(error.close, error.message));
  const head = Buffer.from(switching(request.key, harmless(request.protocols), []), 'latin1');
  socket.end(Buffer.concat([head, close]));
  // Unread bytes would turn our FIN into a reset, which can take the Close with it.
  socket.resume();
  const timer = setTimeout(() => socket.destroy(), CLOSE_LINGER_MS);
  socket.once('close', () => clearTimeout(timer));
}

/** A protocol to name to a client that is refused: one it offered, and surely no token. */
function harmless(offered: readonly string[]): string | undefined {
  const bearer = offered.find((protocol) => protocol.toLowerCase() === 'bearer');
  return bearer ?? offered.find((protocol) => protocol.length <= 32 && !/bearer\./i.test(protocol));
}

/** The 101, in Latin-1. */
function switching(key: string, protocol: string | undefined, fields: readonly HeaderField[]): string {
  let head = 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n';
  head += `Sec-WebSocket-Accept: ${acceptOf(key)}\r\n`;
  if (protocol !== undefined) head += `Sec-WebSocket-Protocol: ${protocol}\r\n`;
  for (const [name, value] of fields) {
    validateHeaderValue(name, value);
    head += `${name}: ${value}\r\n`;
  }
  return `${head}\r\n`;
}
