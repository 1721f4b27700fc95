import type { Duplex } from 'node:stream';

/** Read and dropped after the end of a connection: what is on its way while the peer hears of the end, and not a flood. */
const MAX_DRAINED_BYTES = 256 * 1024;

/**
 * Ends a connection so that its peer gets to read what has been written: FIN behind it, and what still comes is dropped.
 * Bytes left unread would turn the FIN into a reset, which can take the last words with it (RFC 9112 §9.6); but a peer
 * that goes on for more than 256 KiB is not read any more, and its socket is destroyed as soon as our own bytes are out
 * (RFC 1122 §4.2.2.13). So it is after `graceMs`, whatever is left. Nobody else is handed what comes from here on.
 * Resolves when the socket is closed; never rejects.
 */
export function linger(socket: Duplex, graceMs: number): Promise<void> {
  if (socket.closed) return Promise.resolve();
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(() => socket.destroy(), graceMs);
  let drained = 0;

  function onData(chunk: Buffer): void {
    drained += chunk.length;
    if (drained <= MAX_DRAINED_BYTES) return;
    socket.off('data', onData).pause();
    if (socket.writableFinished) socket.destroy();
    else socket.once('finish', () => socket.destroy());
  }

  socket.on('error', ignore).once('close', function onClose() {
    clearTimeout(timer);
    resolve();
  });
  // An HTTP parser would go on to find requests in what is dropped.
  socket.removeAllListeners('data').on('data', onData).resume();
  socket.end();
  return promise;
}

function ignore(): void {}
