import { createHash } from 'node:crypto';
import { createServer, type Socket } from 'node:net';
import { announce } from './listen.ts';
import { Unmasker } from './unmask.ts';

/** A WebSocket service on raw sockets that sends back every frame it gets; a Close ends the connection. */

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

announce(createServer({ noDelay: true }, serve));

function serve(socket: Socket): void {
  let head = '';
  socket.on('error', () => socket.destroy());
  socket.on('data', function onHead(bytes) {
    head += bytes.toString('latin1');
    const end = head.indexOf('\r\n\r\n');
    if (end < 0) return;
    socket.off('data', onHead);
    socket.write(accepted(head));
    echo(socket, Buffer.from(head.slice(end + 4), 'latin1'));
  });
}

function accepted(head: string): string {
  const key = /^sec-websocket-key: *(\S+)/im.exec(head)?.[1];
  const accept = createHash('sha1').update(`${key}${GUID}`).digest('base64');
  const protocol = /^sec-websocket-protocol: *([^\s,]+)/im.exec(head)?.[1];
  const chosen = protocol ? `Sec-WebSocket-Protocol: ${protocol}\r\n` : '';
  return `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n${chosen}\r\n`;
}

function echo(socket: Socket, early: Buffer): void {
  const unmasker = new Unmasker();
  function onFrames(bytes: Buffer): void {
    if (unmasker.closed) return;
    const frames = unmasker.turn(bytes);
    if (frames.length > 0) socket.write(frames);
    if (unmasker.closed) socket.end();
  }
  if (early.length > 0) onFrames(early);
  socket.on('data', onFrames);
}
