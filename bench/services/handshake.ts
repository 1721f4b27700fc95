import { hash } from 'node:crypto';
import type { Socket } from 'node:net';

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

/** The load's key is always the same, and so is the answer to it. */
const last = { key: '', accept: '' };

/** Answers the handshake on a fresh socket with a 101, then hands the socket over. */
export function acceptWebSocket(socket: Socket, opened: () => void): void {
  const handshake = new Handshake(socket);
  socket.on('error', () => socket.destroy());
  socket.on('data', function onHead(bytes) {
    if (handshake.read(bytes) === undefined) return;
    socket.off('data', onHead);
    opened();
  });
}

/** A handshake that comes in pieces. */
export class Handshake {
  readonly #socket: Socket;
  #head = '';

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  /** Answers a whole handshake with a 101, and returns what has come after it; before that, undefined. */
  read(bytes: Buffer): Buffer | undefined {
    const before = this.#head.length;
    this.#head += bytes.toString('latin1');
    const end = this.#head.indexOf('\r\n\r\n');
    if (end < 0) return;
    this.#socket.write(accepted(this.#head), 'latin1');
    return bytes.subarray(end + 4 - before);
  }
}

function accepted(head: string): string {
  const key = /^sec-websocket-key: *(\S+)/im.exec(head)?.[1] ?? '';
  const protocol = /^sec-websocket-protocol: *([^\s,]+)/im.exec(head)?.[1];
  const chosen = protocol ? `Sec-WebSocket-Protocol: ${protocol}\r\n` : '';
  return `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${acceptOf(key)}\r\n${chosen}\r\n`;
}

function acceptOf(key: string): string {
  if (key !== last.key) Object.assign(last, { key, accept: hash('sha1', key + GUID, 'base64') });
  return last.accept;
}
