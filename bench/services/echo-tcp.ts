import { createServer } from 'node:net';
import { announce } from './listen.ts';
import { readReusing } from './reading.ts';

/** A TCP service that sends back what it gets. */

announce(
  createServer({ noDelay: true }, (accepted) => {
    readReusing(accepted, (socket) => (bytes) => void socket.write(bytes));
  }),
);
