import { createServer, type Server, Socket } from 'node:net';

/** What one read takes at most: a 64 KiB message with its header comes in one. */
const READ_BYTES = 66 * 1024;

/** What takes each chunk that a socket reads. */
export type Take = (chunk: Buffer) => void;

/** What of a server is not public: the handle `net.Server` wraps, which tells of a connection by its own handle. */
interface Innards {
  _handle?: { onconnection?: (status: number, handle: unknown) => void };
}

/** All sockets read into this one: what is read is dealt with before the next read. */
let buffer = Buffer.allocUnsafeSlow(READ_BYTES);
const currentBuffer = () => buffer;

/**
 * A server whose sockets read into one buffer, which only `net.connect({ onread })` offers: a service has to cost less
 * than the proxies in front of it. `serve` is handed the socket to write to and returns what takes each chunk; a chunk is
 * overwritten as soon as it is neither read nor in a write that has not finished. Where a server is not as expected,
 * 'data' events serve.
 */
export function readingServer(serve: (socket: Socket) => Take): Server {
  const server = createServer({ noDelay: true }, function onConnection(socket) {
    socket.on('error', () => socket.destroy()).on('data', serve(socket));
  });
  server.on('listening', () => {
    const handle = (server as Innards)._handle;
    if (typeof handle?.onconnection !== 'function') return;
    handle.onconnection = (_status, accepted) => {
      if (accepted) read(accepted, serve);
    };
  });
  return server;
}

function read(handle: unknown, serve: (socket: Socket) => Take): void {
  function callback(length: number, chunk: Uint8Array): true {
    take((chunk as Buffer).subarray(0, length));
    // What is still being written must not be read into.
    if (socket.writableLength > 0 && chunk === buffer) buffer = Buffer.allocUnsafeSlow(READ_BYTES);
    return true;
  }
  const socket = new Socket({ handle, onread: { buffer: currentBuffer, callback } } as object);
  const take = serve(socket);
  socket.on('error', () => socket.destroy()).resume();
}
