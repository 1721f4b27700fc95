import { once } from 'node:events';
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:net';
import { onTestFinished } from 'vitest';
import { WebSocketServer } from 'ws';
import { Ledger, numbered, numberReader, tenTimesASecond } from './numbered.ts';
import { portOf } from './servers.ts';

/** A service that keeps account of numbered messages, and sends ten a second on every connection itself. */
export interface Collector {
  /** The `upstream` of a route to it whose path captures `{client}`. */
  readonly upstream: string;
  readonly received: Ledger;
  /** Connections that have not ended. */
  readonly open: number;
}

class Connections implements Collector {
  readonly received = new Ledger();
  readonly #all: { readonly send: (message: Buffer) => void; sent: number }[] = [];
  upstream = '';
  open = 0;

  constructor() {
    onTestFinished(
      tenTimesASecond(this.#all, (connection) => connection.send(numbered(0, ++connection.sent))),
    );
  }

  add(send: (message: Buffer) => void): void {
    this.#all.push({ send, sent: 0 });
    this.open++;
  }
}

export async function startWebSocketCollector(): Promise<Collector> {
  const connections = new Connections();
  const server = createHttpServer();
  new WebSocketServer({ server, perMessageDeflate: false }).on('connection', function onConnection(socket) {
    const read = numberReader(connections.received);
    connections.add((message) => socket.readyState === socket.OPEN && socket.send(message));
    socket.on('error', () => {}).on('message', (data: Buffer) => read(data));
    socket.on('close', () => connections.open--);
  });
  connections.upstream = `{ websocket: "ws://127.0.0.1:${await listening(server)}" }`;
  return connections;
}

export async function startTcpCollector(): Promise<Collector> {
  const connections = new Connections();
  const server = createServer({ noDelay: true }, function onConnection(socket) {
    connections.add((message) => socket.writable && socket.write(message));
    socket.on('error', () => {}).on('data', numberReader(connections.received));
    socket.on('close', () => connections.open--);
  });
  connections.upstream = `{ tcp: "127.0.0.1:${await listening(server)}" }`;
  return connections;
}

/** Answers a poll with the next message; a connection begins with its first poll, and ends with the request to close. */
export async function startPollCollector(): Promise<Collector> {
  const connections = new Connections();
  const read = numberReader(connections.received);
  /** What waits for a poll, and the poll that waits for it: one of the two is empty. */
  const clients = new Map<string, { readonly messages: Buffer[]; poll?: ServerResponse }>();

  function hold(url: string, response: ServerResponse): void {
    const known = clients.get(url);
    const client = known ?? { messages: [] };
    clients.set(url, client);
    if (known === undefined) connections.add((message) => tell(url, message));
    client.poll = response;
    answer(url);
  }
  function tell(url: string, message: Buffer): void {
    clients.get(url)?.messages.push(message);
    answer(url);
  }
  function answer(url: string): void {
    const client = clients.get(url);
    if (client?.poll === undefined || client.messages.length === 0) return;
    client.poll.end(client.messages.shift());
    client.poll = undefined;
  }
  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method, url = '' } = request;
    if (method === 'GET') {
      hold(url, response);
      return;
    }
    for await (const chunk of request) read(chunk as Buffer);
    response.end();
    if (method === 'DELETE') connections.open--;
  }
  const server = createHttpServer((request, response) => void serve(request, response).catch(() => {}));
  onTestFinished(() => server.closeAllConnections());
  const paths = ['poll', 'send', 'close'].map((part) => `${part}: { path: "/{client}" }`);
  connections.upstream = `{ poll: { target: "http://127.0.0.1:${await listening(server)}", ${paths.join(', ')} } }`;
  return connections;
}

async function listening(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return portOf(server);
}
