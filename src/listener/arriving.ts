import type { Duplex } from 'node:stream';

/** A client whose upgrade is being decided. */
export interface Arriving {
  readonly socket: Duplex;
  /** Aborts when the client leaves (FIN, reset or destroyed), and when its time is up. */
  readonly signal: AbortSignal;
  /** The client has left. */
  readonly gone: boolean;
  /** Allows so many milliseconds from now on until `release`. Call it once. */
  allow(ms: number): void;
  /** Stops watching and leaves the socket paused; returns all that came behind the handshake. Again: nothing. */
  release(): Buffer;
}

/** A client may not send frames before the 101 (RFC 6455 §4.1); a hasty one is read this far and then left waiting. */
const MAX_EARLY_BYTES = 64 * 1024;
const NOTHING = Buffer.alloc(0);

/**
 * Watches the socket of an upgrade from the moment Node hands it over. Node gives it no `error` listener, and a reset
 * would end the process; and a socket nobody reads tells nobody of its FIN, so it is read.
 */
export function watchClient(socket: Duplex, head: Buffer): Arriving {
  // One controller and one plain timer: composed signals and AbortSignal.timeout cost a multiple, and outlive the upgrade.
  const controller = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  let left = false;
  let chunks = [head];
  let length = head.length;

  function onData(chunk: Buffer) {
    chunks.push(chunk);
    length += chunk.length;
    if (length > MAX_EARLY_BYTES) socket.pause();
  }
  function onGone() {
    left = true;
    controller.abort();
  }

  // The error listener stays for the socket's life; after an error comes `close`.
  socket.on('error', ignore).on('end', onGone).on('close', onGone).on('data', onData);
  return {
    socket,
    signal: controller.signal,
    get gone() {
      return left || socket.destroyed;
    },
    allow(ms) {
      timer = setTimeout(() => controller.abort(), ms);
    },
    release() {
      clearTimeout(timer);
      socket.pause();
      socket.off('data', onData).off('end', onGone).off('close', onGone);
      const early = length === 0 ? NOTHING : Buffer.concat(chunks);
      chunks = [];
      length = 0;
      return early;
    },
  };
}

function ignore(): void {}
