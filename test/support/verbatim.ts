import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';
import { portOf } from './servers.ts';

/** A request as it came, octets as Latin-1. */
export interface Heard {
  /** Up to and with its empty line. */
  readonly head: string;
  /** What has come behind it so far. */
  body: string;
}

/** What it says, octets as Latin-1: at once, or by itself. */
export type Reply = string | ((socket: Socket, heard: Heard) => unknown);

export interface Verbatim {
  readonly port: number;
  readonly requests: readonly Heard[];
}

/** An HTTP service that says what it is told to, one request a connection; ended with the test. */
export async function startVerbatim(reply: Reply): Promise<Verbatim> {
  const requests: Heard[] = [];
  const sockets = new Set<Socket>();

  function onSocket(socket: Socket): void {
    sockets.add(socket);
    socket.on('error', () => {}).on('close', () => sockets.delete(socket));
    onRequest(socket, (heard) => {
      requests.push(heard);
      if (typeof reply === 'string') socket.end(reply, 'latin1');
      else reply(socket, heard);
    });
  }

  const server = createServer({ noDelay: true }, onSocket).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  return { port: portOf(server), requests };
}

/** Hands on what is heard on a socket once its head is whole. */
function onRequest(socket: Socket, onHead: (heard: Heard) => void): void {
  let heard: Heard | undefined;
  let seen = '';
  socket.on('data', (chunk) => {
    const text = chunk.toString('latin1');
    if (heard !== undefined) {
      heard.body += text;
      return;
    }
    seen += text;
    const end = seen.indexOf('\r\n\r\n') + 4;
    if (end < 4) return;
    heard = { head: seen.slice(0, end), body: seen.slice(end) };
    onHead(heard);
  });
}
