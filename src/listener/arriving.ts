import type { Duplex } from 'node:stream';

/** A client whose upgrade is being decided. */
export interface Arriving {
  readonly socket: Duplex;
  /** Aborts when the client leaves: FIN, reset or destroyed. */
  readonly signal: AbortSignal;
  readonly gone: boolean;
  /** Stops watching and leaves the socket paused; returns all that came behind the handshake. Again: nothing. */
  release(): Buffer;
}

/** A client may not send frames before the 101 (RFC 6455 §4.1); a hasty one is read this far and then left waiting. */
const MAX_EARLY_BYTES = 64 * 1024;

/**
 * Watches the socket of an upgrade from the moment Node hands it over. Node gives it no `error` listener, and a reset
 * would end the process; and a socket nobody reads tells nobody of its FIN, so it is read.
 */
export function watchClient(socket: Duplex, head: Buffer): Arriving {
  const controller = new AbortController();
  let chunks = [head];
  let length = head.length;

  function onData(chunk: Buffer) {
    chunks.push(chunk);
    length += chunk.length;
    if (length > MAX_EARLY_BYTES) socket.pause();
  }
  const onGone = () => controller.abort();

  // The error listener stays for the socket's life.
  socket.on('error', onGone).on('end', onGone).on('close', onGone).on('data', onData);
  return {
    socket,
    signal: controller.signal,
    get gone() {
      return controller.signal.aborted || socket.destroyed;
    },
    release() {
      socket.pause();
      socket.off('data', onData).off('end', onGone).off('close', onGone);
      const early = Buffer.concat(chunks);
      chunks = [];
      return early;
    },
  };
}
