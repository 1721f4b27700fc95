import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import { Server, type Socket as ServerSocket } from 'socket.io';
import type { Socket } from 'socket.io-client';
import { onTestFinished } from 'vitest';
import { portOf } from './servers.ts';

/** An unmodified Socket.IO server that answers every event with what it was given. */
export interface Events {
  readonly port: number;
  /** Header fields of each handshake it has seen. */
  readonly handshakes: readonly IncomingHttpHeaders[];
  /** What the clients of its namespaces have shown in their CONNECT. */
  readonly auths: readonly unknown[];
  /** Milliseconds from one ping to the next. */
  readonly pingInterval: number;
  /** The extensions its last WebSocket has negotiated. */
  extensions(): string;
}

/** Starts it with permessage-deflate on or off; closed when the test has finished. */
export async function startEvents(deflate: boolean, pingInterval = 25_000): Promise<Events> {
  const http = createServer();
  const perMessageDeflate = deflate && { threshold: 0 };
  const server = new Server(http, {
    perMessageDeflate,
    maxHttpBufferSize: 16 * 2 ** 20,
    serveClient: false,
    pingInterval,
  });
  const handshakes: IncomingHttpHeaders[] = [];
  const auths: unknown[] = [];
  let last: ServerSocket | undefined;
  function onConnection(socket: ServerSocket): void {
    last = socket;
    auths.push(socket.handshake.auth);
    handshakes.push(socket.request.headers);
    socket.on('echo', (...given) => given.pop()(...given));
    socket.on('shout', (...given) => socket.emit('shouted', ...given));
  }
  server.on('connection', onConnection);
  server.of('/admin').on('connection', onConnection);
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  onTestFinished(() => server.close());
  return {
    port: portOf(http),
    handshakes,
    auths,
    pingInterval,
    extensions: () => (last === undefined ? '' : extensionsOf(last)),
  };
}

/** The library hides the WebSocket that carries a connection. */
function extensionsOf({ conn }: ServerSocket): string {
  return (conn.transport as unknown as { socket: { extensions: string } }).socket.extensions;
}

/** What came back, in words that survive the way from a page to the test. */
export interface SessionClient {
  readonly transport: string;
  /** One word per exchange: `same`, or what differed. */
  readonly outcomes: readonly string[];
}

/**
 * Sends texts, octets and mixtures of both, small and large, and compares what is acknowledged and what comes back as
 * an event. It runs in Node and, as text, on a page: it must not refer to anything outside itself but what both have.
 */
export async function converse(socket: Socket): Promise<SessionClient> {
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('connect_error', reject);
  });
  const octets = (size: number) => new Uint8Array(size).map((_, index) => (index * 31) % 251);
  const values = [
    'text',
    '',
    'κόσμε 𝄞 \u0000 \u2028',
    'long '.repeat(200_000),
    [1, 'two', { three: [null, true] }],
    octets(0),
    octets(1),
    octets(125),
    octets(65_536),
    octets(3_000_000),
    { name: 'mixture', parts: [octets(10), 'between', octets(70_000)] },
  ];

  /** JSON, with octets as their numbers whatever kind of buffer they are in. */
  function spell(value: unknown): string {
    return JSON.stringify(value, function spellOctets(key) {
      const part = this[key];
      if (part instanceof ArrayBuffer) return [...new Uint8Array(part)];
      return ArrayBuffer.isView(part) ? [...(part as Uint8Array)] : part;
    });
  }

  const outcomes: string[] = [];
  for (const value of values) {
    const shouted = new Promise((resolve) => {
      socket.once('shouted', (...given) => resolve(given));
    });
    const acknowledged = await socket.timeout(30_000).emitWithAck('echo', value, 'second');
    outcomes.push(
      spell(acknowledged) === spell(value) ? 'same' : `acknowledged ${spell(acknowledged).slice(0, 200)}`,
    );
    socket.emit('shout', value, 'second');
    const back = spell(await shouted);
    outcomes.push(back === spell([value, 'second']) ? 'same' : `came back ${back.slice(0, 200)}`);
  }
  const transport = socket.io.engine.transport.name;
  socket.disconnect();
  return { transport, outcomes };
}
