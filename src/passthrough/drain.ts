import type { IncomingMessage } from 'node:http';
import { linger } from '../stream/linger.ts';

/** What is left of a body that nobody asked for any more is read so far, for the sake of the connection. */
const MAX_DRAINED_BYTES = 256 * 1024;
/** And for so long. */
const DRAIN_MS = 2_000;

/**
 * Reads on what is left of the body of a request that has been answered; unread, it would block the connection's next
 * request. A client that goes on and on loses its connection (RFC 9112 §9.6), once it can have read the answer.
 */
export function drainRest(message: IncomingMessage): void {
  if (message.complete) {
    message.resume();
    return;
  }
  let drained = 0;
  const timer = setTimeout(giveUp, DRAIN_MS);
  function onData(chunk: Buffer): void {
    drained += chunk.length;
    if (drained > MAX_DRAINED_BYTES) giveUp();
  }
  function stop(): void {
    clearTimeout(timer);
    message.off('data', onData).off('close', stop);
  }
  function giveUp(): void {
    stop();
    void linger(message.socket, DRAIN_MS);
  }
  message.on('data', onData).once('close', stop).resume();
}
