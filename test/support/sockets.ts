import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer, type ListenOptions, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { Pair } from './pairs.ts';

/** Unix sockets in folders of their own, whose paths are short enough for any system. Call these within a test. */

export async function socketFolder(): Promise<string> {
  const folder = await mkdtemp('/tmp/sp-');
  onTestFinished(() => rm(folder, { recursive: true }));
  return folder;
}

/** A path at which nobody listens yet. */
export async function socketPath(): Promise<string> {
  return join(await socketFolder(), 'it.sock');
}

/** A server at a socket. */
export interface SocketServer {
  /** Connections it has had. */
  readonly count: number;
  /** Ends its connections, and takes its socket away. */
  close(): Promise<void>;
}

/** Lets a server of any kind listen; closed when the test has finished. */
export async function listenAt(where: string | ListenOptions, server: Server): Promise<SocketServer> {
  const open = new Set<Socket>();
  let count = 0;
  server.on('connection', (socket: Socket) => {
    count += 1;
    open.add(socket.on('error', () => {}));
    socket.on('close', () => open.delete(socket));
  });
  server.listen(where);
  await once(server, 'listening');
  async function close(): Promise<void> {
    for (const socket of open) socket.destroy();
    if (server.listening) await new Promise((resolve) => server.close(resolve));
  }
  onTestFinished(close);
  return {
    get count() {
      return count;
    },
    close,
  };
}

/** Two ends of a connection through a socket, both half-open. */
export async function openSocketPair(): Promise<Pair> {
  const path = await socketPath();
  const server = createServer({ allowHalfOpen: true });
  await listenAt(path, server);
  const arriving = once(server, 'connection') as Promise<[Socket]>;
  const ours = connect({ path, allowHalfOpen: true }).on('error', () => {});
  const [peer] = await arriving;
  const dispose = () => {
    ours.destroy();
    peer.destroy();
  };
  return { ours, peer, reset: dispose, [Symbol.dispose]: dispose };
}
