import { createServer } from 'node:http';
import { WebSocket, WebSocketServer } from 'ws';
import { listenOnLoopback, type Service } from './service.ts';

const HISTORY = 20;
const MAX_UNREAD_BYTES = 1024 * 1024;

/**
 * A WebSocket chat without a login of its own: it believes the `x-user` header, which only the gateway can set.
 * Every message goes to everybody as JSON `{ from, text, at }`; newcomers get the last twenty.
 */
export async function startChat(): Promise<Service> {
  const http = createServer();
  const chat = new WebSocketServer({ server: http, maxPayload: 64 * 1024 });
  const history: string[] = [];

  function say(from: string, text: string): void {
    const line = JSON.stringify({ from, text, at: Date.now() });
    history.push(line);
    if (history.length > HISTORY) history.shift();
    for (const peer of chat.clients) tell(peer, line);
  }

  chat.on('connection', function onConnection(socket, request) {
    const name = String(request.headers['x-user'] ?? 'somebody');
    socket.on('error', () => socket.terminate());
    socket.on('message', (data) => say(name, String(data)));
    for (const line of history) socket.send(line);
  });

  const port = await listenOnLoopback(http);
  return {
    port,
    async close() {
      for (const peer of chat.clients) peer.terminate();
      chat.close();
      await new Promise((resolve) => http.close(resolve));
    },
  };
}

/** A peer that does not read is dropped: its unread lines would be kept in memory. */
function tell(peer: WebSocket, line: string): void {
  if (peer.readyState !== WebSocket.OPEN) return;
  if (peer.bufferedAmount > MAX_UNREAD_BYTES) peer.terminate();
  else peer.send(line);
}
