import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';
import { type WebSocket, WebSocketServer } from 'ws';
import { decodeMessage } from '../../src/tcp-protocol/decode.ts';
import { encodeMessage } from '../../src/tcp-protocol/encode.ts';
import { TCP_PROTOCOL, type TcpMessage } from '../../src/tcp-protocol/types.ts';
import { eventually } from './patience.ts';

/** A gateway of sallyport.tcp.v1 that says what a test tells it to, and nothing else. Call it within a test. */

/** A client, seen from there. */
export interface Visitor {
  readonly socket: WebSocket;
  /** What it offered. */
  readonly offered: string;
  readonly heard: TcpMessage[];
  /** How it has closed. */
  closed: number | undefined;
  say(...messages: readonly TcpMessage[]): void;
  /** Resolves when it has said this. */
  hears(type: TcpMessage['type']): Promise<void>;
}

export const OPENED = {
  type: 'OPENED',
  resumeId: new Uint8Array(16),
  resumeMs: 0,
  expiresAt: 0,
  session: 's1',
  peer: '',
} as const;

export interface V1Server {
  readonly url: string;
  readonly visitors: readonly Visitor[];
  /** The next one, or the one after so many. */
  visitor(index?: number): Promise<Visitor>;
}

/** `greet` is called for each that comes, with how many were there before. */
export async function startV1Server(
  greet: (visitor: Visitor, index: number) => void = ({ say }) => say(OPENED),
  protocol = TCP_PROTOCOL,
): Promise<V1Server> {
  const visitors: Visitor[] = [];
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1', handleProtocols: () => protocol });
  server.on('connection', (socket, { headers }) => {
    const visitor = visit(socket, String(headers['sec-websocket-protocol']));
    visitors.push(visitor);
    greet(visitor, visitors.length - 1);
  });
  await once(server, 'listening');
  onTestFinished(() => {
    for (const client of server.clients) client.terminate();
    server.close();
  });
  return {
    url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    visitors,
    async visitor(index = 0) {
      await eventually(() => visitors.length > index, `visitor ${index}`);
      return visitors[index] as Visitor;
    },
  };
}

function visit(socket: WebSocket, offered: string): Visitor {
  const heard: TcpMessage[] = [];
  const visitor: Visitor = {
    socket,
    offered,
    heard,
    closed: undefined,
    say: (...messages) => {
      for (const message of messages) socket.send(encodeMessage(message));
    },
    hears: (type) =>
      eventually(
        () => heard.some((message) => message.type === type),
        () => `${type}, but ${heard.map((message) => message.type)}, closed ${visitor.closed}`,
      ),
  };
  socket.on('error', () => {});
  socket.on('message', (data: Buffer) => {
    if (socket.protocol === TCP_PROTOCOL) heard.push(decodeMessage(Uint8Array.from(data)));
  });
  socket.on('close', (code) => {
    visitor.closed = code;
  });
  return visitor;
}
