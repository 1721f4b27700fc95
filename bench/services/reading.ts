import { createServer, type Server, Socket } from 'node:net';

/** What one read takes at most: a 64 KiB message with its header comes in one. */
const READ_BYTES = 66 * 1024;

/** What takes each chunk that a socket reads. */
export type Take = (chunk: Buffer) => void;

/** What of a server is not public: the handle `net.Server` wraps, which tells of a connection by its own handle. */
interface Innards {
  _handle?: { onconnection?: (status: number, handle: unknown) => void };
}

/** Buffers of sockets that have closed, for those to come. */
const spare: Buffer[] = [];

/**
 * A server whose sockets each read into one buffer again and again, which only `net.connect({ onread })` offers: a
 * service has to cost less than the proxies in front of it. `serve` is handed the socket to write to and returns what
 * takes each chunk; a chunk is overwritten as soon as it is neither read nor in a write that has not finished. Where a
 * server is not as expected, 'data' events serve.
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
  let buffer = spareBuffer();
  let isWriting = false;
  function next(): Buffer {
    if (isWriting) buffer = spareBuffer();
    return buffer;
  }
  function callback(length: number): true {
    take(buffer.subarray(0, length));
    isWriting = socket.writableLength > 0;
    return true;
  }
  const socket = new Socket({ handle, onread: { buffer: next, callback } } as object);
  const take = serve(socket);
  socket.setNoDelay().on('error', () => socket.destroy());
  socket.on('close', () => spare.push(buffer)).resume();
}

function spareBuffer(): Buffer {
  return spare.pop() ?? Buffer.allocUnsafeSlow(READ_BYTES);
}
