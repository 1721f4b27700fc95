import type { Duplex } from 'node:stream';
import type { GatewayError } from '../errors.ts';
import type { Ending } from './contract.ts';

/** The ending that an error of ours makes: its close code and its sentence. */
export function endingOf(error: GatewayError, by: Ending['by'] = 'gateway'): Ending {
  return { code: error.close, reason: error.message, by, error };
}

/**
 * Ends a socket for good: what was written is flushed, then FIN; what still comes is read and dropped, because unread
 * bytes would turn our FIN into a reset and eat what was flushed. After `graceMs` it is destroyed. Resolves when it is
 * closed; never rejects.
 */
export function endSocket(socket: Duplex, graceMs: number): Promise<void> {
  return new Promise((resolve) => {
    if (socket.closed) {
      resolve();
      return;
    }
    const timer = setTimeout(() => socket.destroy(), graceMs);
    socket.once('close', () => {
      clearTimeout(timer);
      resolve();
    });
    socket.resume();
    socket.end();
  });
}
