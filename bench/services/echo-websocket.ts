import type { Socket } from 'node:net';
import { Handshake } from './handshake.ts';
import { announce } from './listen.ts';
import { readingServer, type Take } from './reading.ts';
import { Unmasker } from './unmask.ts';

/** A WebSocket service on raw sockets that sends back every frame it gets; a Close ends the connection. */

announce(readingServer(echo));

function echo(socket: Socket): Take {
  const unmasker = new Unmasker();
  let handshake: Handshake | undefined = new Handshake(socket);
  function onFrames(bytes: Buffer): void {
    if (unmasker.closed) return;
    const frames = unmasker.turn(bytes);
    if (frames.length > 0) socket.write(frames);
    if (unmasker.closed) socket.end();
  }
  return function onChunk(bytes) {
    const frames = handshake ? handshake.read(bytes) : bytes;
    if (frames === undefined) return;
    handshake = undefined;
    if (frames.length > 0) onFrames(frames);
  };
}
