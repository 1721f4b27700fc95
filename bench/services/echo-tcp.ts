import { announce } from './listen.ts';
import { readingServer } from './reading.ts';

/** A TCP service that sends back what it gets. */

announce(readingServer((socket) => (bytes) => void socket.write(bytes)));
