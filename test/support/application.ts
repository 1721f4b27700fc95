import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { Server as SecureServer } from 'node:https';
import { type WebSocket, WebSocketServer } from 'ws';
import { portOf } from './servers.ts';

/** A service as most are: pages and WebSockets on one port, at any path. Both say who they are and what was asked of them. */
export interface Application extends AsyncDisposable {
  readonly port: number;
  /** Every request it has had, handshakes too. */
  readonly requests: readonly IncomingMessage[];
  /** Connections to it that are open. */
  readonly connections: () => Promise<number>;
  close(): Promise<void>;
}

export async function startApplication(
  name: string,
  server: Server | SecureServer = createServer(),
): Promise<Application> {
  const requests: IncomingMessage[] = [];
  const webSockets = new WebSocketServer({ noServer: true });
  server.on('request', function onRequest(request, response) {
    requests.push(request);
    response.end(`${name} page ${request.url}`);
  });
  server.on('upgrade', function onUpgrade(request, socket, head) {
    requests.push(request);
    webSockets.handleUpgrade(request, socket, head, (webSocket) => {
      webSocket
        .on('error', () => {})
        .on('message', (data, isBinary) => webSocket.send(data, { binary: isBinary }));
      webSocket.send(`${name} socket ${request.url}`);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');

  async function close(): Promise<void> {
    for (const webSocket of webSockets.clients as Set<WebSocket>) webSocket.terminate();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
  return {
    port: portOf(server),
    requests,
    connections: () => new Promise((resolve) => server.getConnections((_error, count) => resolve(count))),
    close,
    [Symbol.asyncDispose]: close,
  };
}
