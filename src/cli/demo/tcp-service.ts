import { createServer, type Socket } from 'node:net';
import { introduction } from './introduction.ts';
import { listenOnLoopback, type Service } from './service.ts';

const MAX_VISITORS = 64;
const IDLE_MS = 600_000;

/** Somebody who is connected to a TCP service of the demo. */
export interface Visitor {
  /** Subject of the token. The service has no login: it believes the gateway. */
  readonly name: string;
  /** What the visitor sends; ends when the visitor has finished, who may still be answered then. */
  readonly bytes: AsyncIterable<Buffer>;
  /** Resolves when it has left: whoever does not read is not served further. Rejects if the visitor is gone. */
  send(bytes: Buffer | string): Promise<void>;
}

/**
 * A TCP service that is told by a PROXY header whom each connection is for. `converse` serves one visitor: the
 * connection ends well when it resolves, and is reset when it rejects.
 */
export async function startTcpService(converse: (visitor: Visitor) => Promise<void>): Promise<Service> {
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true, noDelay: true }, function onConnection(socket) {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    socket.on('error', () => socket.destroy());
    socket.setTimeout(IDLE_MS, () => socket.destroy());
    void serve(socket, converse);
  });
  server.maxConnections = MAX_VISITORS;
  const port = await listenOnLoopback(server);
  return {
    port,
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function serve(socket: Socket, converse: (visitor: Visitor) => Promise<void>): Promise<void> {
  try {
    // Its end would otherwise destroy the socket, before the last answer.
    const chunks = socket.iterator({ destroyOnReturn: false });
    const { name, rest } = await introduction(chunks);
    await converse({ name, bytes: after(rest, chunks), send: (bytes) => sendTo(socket, bytes) });
    socket.end();
    // Unread bytes would turn the end into a reset.
    socket.resume();
  } catch {
    socket.resetAndDestroy();
  }
}

async function* after(rest: Buffer, chunks: AsyncIterator<Buffer>): AsyncGenerator<Buffer> {
  if (rest.length > 0) yield rest;
  for (;;) {
    const { done, value } = await chunks.next();
    if (done) return;
    yield value;
  }
}

function sendTo(socket: Socket, bytes: Buffer | string): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.write(bytes, (error) => (error ? reject(error) : resolve()));
  });
}
