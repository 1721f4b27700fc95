import type { Socket } from 'node:net';

/** Of a client that says something else than SOCKS 5, or wants what there is not. */
export class SocksError extends Error {
  override readonly name = 'SocksError';
}

/** Takes from the beginning of a socket what it needs, and leaves the rest. */
export interface Taker {
  /** Exactly so many bytes. Throws SocksError when they do not come. */
  take(length: number): Promise<Buffer>;
  /** Nothing more is taken. */
  release(): void;
}

const EVENTS = ['readable', 'end', 'close'] as const;

/** Nothing more is waited for when the signal aborts. */
export function createTaker(socket: Socket, signal: AbortSignal): Taker {
  let wake = () => {};
  const onEvent = () => wake();
  // One listener for all: each new one for `readable` is told at once of what is there.
  for (const event of EVENTS) socket.on(event, onEvent);
  signal.addEventListener('abort', onEvent);
  return { take, release };

  async function take(length: number): Promise<Buffer> {
    if (length === 0) return Buffer.alloc(0);
    for (;;) {
      const bytes: Buffer | null = socket.read(length);
      if (bytes?.length === length) return bytes;
      if (bytes !== null || socket.readableEnded || socket.destroyed)
        throw new SocksError('the client has left amid its request');
      if (signal.aborted) throw new SocksError('the client has not said within 10 s where it wants to go');
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  }

  function release(): void {
    for (const event of EVENTS) socket.off(event, onEvent);
    signal.removeEventListener('abort', onEvent);
  }
}
