import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';
import { openHttpTarget } from '../../src/upstream/client.ts';
import { openSocket } from '../../src/upstream/connect.ts';
import { targetsOf } from '../../src/upstream/target.ts';
import { eventually } from './patience.ts';

/** A TCP server that gives each request (a chunk with a body) to `answer`, and a client of it. */
export async function peer(answer: (socket: Socket, request: string) => void, path = '') {
  const received: string[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      received.push(String(chunk));
      answer(socket, String(chunk));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const { port } = server.address() as { port: number };
  return { received, sockets, server, target: clientOf(`http://127.0.0.1:${port}${path}`) };
}

function clientOf(url: string) {
  const [parsed] = targetsOf({ http: [{ url }] }, 'http');
  if (parsed === undefined) throw new Error('no target');
  const { host, port } = parsed;
  const connect = () => openSocket({ host, port, autoEnd: true }, AbortSignal.timeout(2_000));
  const target = openHttpTarget(parsed, connect);
  onTestFinished(() => void target.close());
  return target;
}

/** An answer whose length is known. */
export function respond(body: string | Buffer, head = ''): Buffer {
  const length = Buffer.byteLength(body);
  return Buffer.concat([
    Buffer.from(`HTTP/1.1 200 OK\r\n${head}content-length: ${length}\r\n\r\n`),
    Buffer.from(body),
  ]);
}

/** A piece of an answer that began with CHUNKED. */
export function chunk(body: string | Buffer): Buffer {
  const size = Buffer.byteLength(body).toString(16);
  return Buffer.concat([Buffer.from(`${size}\r\n`), Buffer.from(body), Buffer.from('\r\n')]);
}

export const CHUNKED = 'transfer-encoding: chunked\r\n\r\n';
export const LAST = '0\r\n\r\n';

/** Resolves when these connections have ended, be it with a reset. */
export async function closed(sockets: Iterable<Socket>): Promise<void> {
  const all = [...sockets];
  await eventually(() => all.every((socket) => socket.closed), 'the end of the connections');
}
