import { createServer, type Socket } from 'node:net';
import { acceptWebSocket } from './handshake.ts';
import { announce } from './listen.ts';
import { readReusing } from './reading.ts';
import { Unmasker } from './unmask.ts';

/** A WebSocket service on raw sockets that sends back every frame it gets; a Close ends the connection. */

announce(
  createServer({ noDelay: true }, (accepted) => {
    acceptWebSocket(accepted, (early) => readReusing(accepted, (socket) => echo(socket, early)));
  }),
);

function echo(socket: Socket, early: Buffer): (bytes: Buffer) => void {
  const unmasker = new Unmasker();
  function onFrames(bytes: Buffer): void {
    if (unmasker.closed) return;
    const frames = unmasker.turn(bytes);
    if (frames.length > 0) socket.write(frames);
    if (unmasker.closed) socket.end();
  }
  if (early.length > 0) onFrames(early);
  return onFrames;
}
