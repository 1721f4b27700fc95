import { createHash } from 'node:crypto';
import type { Socket } from 'node:net';

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

/** Answers the handshake on a fresh socket with a 101, then hands over what came after its head. */
export function acceptWebSocket(socket: Socket, opened: (early: Buffer) => void): void {
  let head = '';
  socket.on('error', () => socket.destroy());
  socket.on('data', function onHead(bytes) {
    head += bytes.toString('latin1');
    const end = head.indexOf('\r\n\r\n');
    if (end < 0) return;
    socket.off('data', onHead);
    socket.write(accepted(head));
    opened(Buffer.from(head.slice(end + 4), 'latin1'));
  });
}

function accepted(head: string): string {
  const key = /^sec-websocket-key: *(\S+)/im.exec(head)?.[1];
  const accept = createHash('sha1').update(`${key}${GUID}`).digest('base64');
  const protocol = /^sec-websocket-protocol: *([^\s,]+)/im.exec(head)?.[1];
  const chosen = protocol ? `Sec-WebSocket-Protocol: ${protocol}\r\n` : '';
  return `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n${chosen}\r\n`;
}
