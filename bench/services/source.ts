import { createServer, type Socket } from 'node:net';
import { acceptWebSocket } from './handshake.ts';
import { announce } from './listen.ts';

/** A WebSocket service that pushes 300 MiB to whoever connects, as fast as it is taken, in messages of 64 KiB. */

const SIZE = 64 * 1024;
const MESSAGES = (300 * 1024 * 1024) / SIZE;
const FRAME = Buffer.alloc(10 + SIZE, 'x');
// Opcode 2, final; then the length in 64 bits: RFC 6455, section 5.2.
FRAME.writeUInt16BE(0x82_7f);
FRAME.writeBigUInt64BE(BigInt(SIZE), 2);

announce(
  createServer({ noDelay: true }, (socket) => {
    acceptWebSocket(socket, () => push(socket));
  }),
);

function push(socket: Socket): void {
  let left = MESSAGES;
  function pushOn(): void {
    while (left-- > 0 && socket.write(FRAME));
  }
  // What the client says does not matter, but has to be read for its end to be seen.
  socket.resume();
  socket.on('end', () => socket.destroy());
  socket.on('drain', pushOn);
  pushOn();
}
