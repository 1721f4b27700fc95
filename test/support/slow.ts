import type { Duplex, Readable } from 'node:stream';
import { setTimeout as wait } from 'node:timers/promises';
import type { WebSocket } from 'ws';

/** Readers that take their time. */

/** Tells how many milliseconds a reader of so many bytes a second is ahead of its pace, once it has read some more. */
function pacer(bytesPerSecond: number): (bytes: number) => number {
  const since = performance.now();
  let total = 0;
  return function aheadBy(bytes) {
    total += bytes;
    return Math.max(0, since + (total / bytesPerSecond) * 1_000 - performance.now());
  };
}

/** The chunks of a stream, read at so many bytes a second. */
export async function* slowly(stream: Readable, bytesPerSecond: number): AsyncGenerator<Buffer> {
  const aheadBy = pacer(bytesPerSecond);
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    yield chunk;
    await wait(aheadBy(chunk.length));
  }
}

/** Has an open WebSocket of `ws` read its socket at so many bytes a second, be it amid a message. */
export function slowDown(webSocket: WebSocket, socket: Duplex, bytesPerSecond: number): void {
  const aheadBy = pacer(bytesPerSecond);
  socket.on('data', function onData(chunk: Buffer) {
    webSocket.pause();
    setTimeout(() => webSocket.resume(), aheadBy(chunk.length));
  });
}
