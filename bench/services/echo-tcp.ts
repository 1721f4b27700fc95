import { createServer } from 'node:net';
import { announce } from './listen.ts';

/** A TCP service that sends back what it gets. */

announce(
  createServer({ noDelay: true }, (socket) => {
    socket.on('data', (bytes) => socket.write(bytes)).on('error', () => socket.destroy());
  }),
);
