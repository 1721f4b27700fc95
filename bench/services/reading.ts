import { Socket } from 'node:net';

/** What one read takes at most: a 64 KiB message with its header comes in one. */
const READ_BYTES = 66 * 1024;

/** What of a socket is not public: the handle `net.Socket` wraps. */
interface Innards {
  _handle?: { readStop?(): void; reading?: boolean };
}

/**
 * Reads an accepted socket into a buffer used again and again, which only `net.connect({ onread })` offers: a service
 * has to cost less than the proxies in front of it. `serve` is handed the socket to write to and returns what takes each
 * chunk; a chunk is overwritten as soon as it is neither read nor in a write that has not finished. Where a socket is
 * not as expected, 'data' events serve.
 */
export function readReusing(accepted: Socket, serve: (socket: Socket) => (chunk: Buffer) => void): void {
  const handle = (accepted as Innards)._handle;
  if (typeof handle?.readStop !== 'function' || typeof handle.reading !== 'boolean') {
    accepted.on('data', serve(accepted));
    return;
  }
  handle.readStop();
  handle.reading = false;
  let buffer = Buffer.allocUnsafeSlow(READ_BYTES);
  let isWriting = false;
  function next(): Buffer {
    if (isWriting) buffer = Buffer.allocUnsafeSlow(READ_BYTES);
    return buffer;
  }
  function callback(length: number): true {
    take(buffer.subarray(0, length));
    isWriting = socket.writableLength > 0;
    return true;
  }
  const socket = new Socket({ handle, onread: { buffer: next, callback } } as object);
  socket.on('error', () => socket.destroy());
  const take = serve(socket);
  socket.resume();
}
