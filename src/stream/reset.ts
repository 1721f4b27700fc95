import type { Socket } from 'node:net';

/** What of a `net.Socket` its types do not show. */
interface Innards {
  readonly _handle?: { readonly reset?: unknown } | null;
  /** Has `destroy` send a reset. */
  resetAndClosing?: boolean;
}

/**
 * Destroys a socket with a reset (RFC 9293 §3.10.7), so that its peer does not take what it got for all there was. Node's
 * `resetAndDestroy` sends a FIN first, and the peer may look no further. Where no reset can be sent (behind a FIN, on a
 * socket that is not TCP) it is destroyed as usual.
 */
export function resetSocket(socket: Socket): void {
  const innards = socket as unknown as Innards;
  // What still waits to be written has its FIN behind it, which is not asked for before that is out.
  const isFinOut = socket.writableEnded && socket.writableLength === 0;
  if (!isFinOut && typeof innards._handle?.reset === 'function') innards.resetAndClosing = true;
  socket.destroy();
}
