import type { Socket } from 'node:net';
import type { WebSocket } from 'ws';

const EVERY_MS = 30_000;

/**
 * Ends a WebSocket whose gateway has vanished, which nobody would notice otherwise where nothing is sent: it is asked by a ping
 * (RFC 6455 §5.5.2), and has until the next to say anything. So a loss is noticed in time for `resume`.
 */
export function watchLiveness(socket: WebSocket): void {
  socket.once('upgrade', ({ socket: wire }: { socket: Socket }) => {
    let heard: number | undefined;
    const timer = setInterval(() => {
      if (wire.bytesRead === heard) {
        socket.terminate();
        return;
      }
      heard = wire.bytesRead;
      socket.ping(() => {});
    }, EVERY_MS);
    socket.once('close', () => clearInterval(timer));
  });
}
