import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import { GatewayError } from '../../errors.ts';
import type { SessionHandle } from '../contract.ts';
import type { Message } from './profile.ts';

/**
 * Bytes given to the socket at a time. Long messages are sent in fragments of this size (RFC 6455 §5.4), so that a
 * client that reads slowly can be told from one that has stopped.
 */
const WINDOW = 64 * 1024;

interface Fragment {
  readonly data: Buffer;
  readonly binary: boolean;
  readonly fin: boolean;
}

/**
 * Writes messages to the client, a window at a time, and counts them in `session.down`. Resolves when the kernel has
 * the last byte. Throws PEER_STALLED when a window has not been taken for `stallMs`, CLIENT_LOST when the socket is gone.
 */
export async function deliver(
  socket: Duplex,
  ws: WebSocket,
  messages: readonly Message[],
  session: SessionHandle,
): Promise<void> {
  for (const window of windowsOf(messages)) {
    await flush(socket, ws, window, session.stallMs);
    for (const { data, fin } of window) {
      session.down.bytes += data.length;
      if (fin) session.down.messages++;
    }
  }
}

function flush(socket: Duplex, ws: WebSocket, window: readonly Fragment[], stallMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new GatewayError('PEER_STALLED')), stallMs);
    let unread = window.length;

    function onFlushed(error?: Error | null): void {
      if (--unread > 0 && !error) return;
      clearTimeout(timer);
      if (error) reject(new GatewayError('CLIENT_LOST', { cause: error }));
      else resolve();
    }

    socket.cork();
    for (const { data, ...options } of window) ws.send(data, options, onFlushed);
    socket.uncork();
  });
}

/** Groups the fragments of all messages into lots of about a window. */
function* windowsOf(messages: readonly Message[]): Generator<Fragment[]> {
  let window: Fragment[] = [];
  let size = 0;
  for (const fragment of fragmentsOf(messages)) {
    window.push(fragment);
    size += fragment.data.length;
    if (size < WINDOW) continue;
    yield window;
    window = [];
    size = 0;
  }
  if (window.length > 0) yield window;
}

function* fragmentsOf(messages: readonly Message[]): Generator<Fragment> {
  for (const { data, binary } of messages) {
    const bytes = typeof data === 'string' ? Buffer.from(data) : data;
    let at = 0;
    do {
      const end = at + WINDOW;
      yield { data: bytes.subarray(at, end), binary, fin: end >= bytes.length };
      at = end;
    } while (at < bytes.length);
  }
}
