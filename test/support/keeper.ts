import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { onTestFinished } from 'vitest';
import { WebSocketServer } from 'ws';
import { portOf } from './servers.ts';

/** A service that asks for a key, and says what was sent to it. */
export interface Keeper {
  readonly port: number;
  /** Every request and handshake, in order. */
  readonly asked: Asked[];
}

export interface Asked {
  readonly method: string | undefined;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly trailers: IncomingMessage['trailers'];
  /** Names and values as sent. */
  readonly text: string;
}

export interface KeeperParts {
  /** Answers plain requests, when they have come whole. */
  readonly answer?: (request: IncomingMessage, response: ServerResponse) => void;
  /** Refuses a handshake: its whole answer. */
  readonly refuse?: (request: IncomingMessage) => string | Buffer | undefined;
  readonly choose?: (offered: Set<string>) => string | false;
}

/** Starts one that echoes messages, and repeats an `X-Echo` in its 101; closed when the test has finished. */
export async function startKeeper({ answer = ok, refuse, choose }: KeeperParts = {}): Promise<Keeper> {
  const asked: Asked[] = [];
  const server = createServer((request, response) => {
    request.resume().once('end', () => {
      asked.push(askedBy(request));
      answer(request, response);
    });
  });
  const handleProtocols = choose ?? (([first]: Set<string>) => first ?? false);
  const sockets = new WebSocketServer({ noServer: true, handleProtocols });
  sockets.on('headers', (fields, request) => fields.push(`X-Echo: ${request.headers['x-echo'] ?? 'none'}`));
  sockets.on('connection', (socket) => socket.on('message', (data) => socket.send(String(data))));
  server.on('upgrade', (request, socket, head) => {
    socket.on('error', () => {});
    asked.push(askedBy(request));
    const refusal = refuse?.(request);
    if (refusal !== undefined) socket.end(refusal);
    else sockets.handleUpgrade(request, socket, head, (webSocket) => sockets.emit('connection', webSocket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.close().closeAllConnections();
    for (const socket of sockets.clients) socket.terminate();
  });
  return { port: portOf(server), asked };
}

function ok(_request: IncomingMessage, response: ServerResponse): void {
  response.end('ok');
}

function askedBy({ method, url = '', headers, trailers, rawHeaders }: IncomingMessage): Asked {
  return { method, url, headers, trailers, text: [url, ...rawHeaders].join('\n') };
}
