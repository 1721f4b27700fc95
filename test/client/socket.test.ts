import { createServer, type IncomingMessage } from 'node:http';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type WebSocket, WebSocketServer } from 'ws';
import {
  type CloseEventLike,
  ConnectionError,
  type ReconnectingEvent,
  Socket,
  type SocketOptions,
} from '../../src/client/index.ts';
import { freshToken } from '../support/fresh.ts';
import { eventually } from '../support/patience.ts';
import { freePort } from '../support/ports.ts';

/** A WebSocket that comes back, at servers that do as they are told. */

interface Server {
  readonly url: string;
  readonly port: number;
  /** Those that have come, with what they offered. */
  readonly clients: { readonly socket: WebSocket; readonly offered: string }[];
  close(): Promise<void>;
}

async function start(port = 0): Promise<Server> {
  const server = createServer();
  const clients: Server['clients'] = [];
  const handleProtocols = (offered: Set<string>) => [...offered][0] ?? false;
  new WebSocketServer({ server, handleProtocols }).on(
    'connection',
    (socket, { headers }: IncomingMessage) => {
      clients.push({ socket, offered: String(headers['sec-websocket-protocol'] ?? '') });
      socket.on('error', () => {}).on('message', (data) => socket.send(String(data)));
    },
  );
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  const at = (server.address() as { port: number }).port;
  async function close(): Promise<void> {
    for (const { socket } of clients) socket.terminate();
    if (server.listening) await new Promise((resolve) => server.close(resolve));
  }
  onTestFinished(close);
  return { url: `ws://127.0.0.1:${at}/`, port: at, clients, close };
}

/** What happened to a socket, in order. */
function watched(url: string, options: SocketOptions = {}): { socket: Socket; events: string[] } {
  const socket = new Socket(url, { backoff: { firstMs: 5, mostMs: 20 }, ...options });
  onTestFinished(() => socket.close());
  const events: string[] = [];
  socket.onopen = () => void events.push('open');
  socket.onmessage = ({ data }) => void events.push(`message ${data}`);
  socket.onreconnecting = ({ error }: ReconnectingEvent) => void events.push(`reconnecting ${error.code}`);
  socket.onclose = ({ code, reason }: CloseEventLike) => void events.push(`close ${code} ${reason}`.trim());
  return { socket, events };
}

const until = (events: string[], count: number) => eventually(() => events.length >= count);

describe('a socket', () => {
  test('is a WebSocket', async () => {
    const { url } = await start();
    const { socket, events } = watched(url, { protocols: ['chat'] });
    expect(socket.readyState).toBe(Socket.CONNECTING);
    expect(() => socket.send('too early')).toThrow('the connection is not open');
    await until(events, 1);
    expect([socket.readyState, socket.protocol]).toEqual([Socket.OPEN, 'chat']);
    socket.send('hello');
    await until(events, 2);
    socket.close(3001, 'enough');
    await until(events, 3);
    expect(events).toEqual(['open', 'message hello', 'close 3001 enough']);
    expect(socket.readyState).toBe(Socket.CLOSED);
  });

  test.each([1001, 1012, 1013, 1014])('comes back after %d', async (code) => {
    const { url, clients } = await start();
    const { events } = watched(url);
    await until(events, 1);
    clients[0]?.socket.close(code);
    await until(events, 3);
    expect(events).toEqual(['open', `reconnecting ${code}`, 'open']);
  });

  test('comes back when it was lost, and to a server that was away', async () => {
    const port = await freePort();
    const first = await start(port);
    const { events } = watched(first.url);
    await until(events, 1);
    await first.close();
    await until(events, 4);
    await start(port);
    await eventually(() => events.at(-1) === 'open');
    expect(new Set(events)).toEqual(new Set(['open', 'reconnecting 1006']));
  });

  test.each([1000, 1002, 1008, 3000, 3003, 4001])('does not come back after %d', async (code) => {
    const { url, clients } = await start();
    const { events } = watched(url);
    await until(events, 1);
    clients[0]?.socket.close(code, 'why');
    await until(events, 2);
    expect(events).toEqual(['open', `close ${code} why`]);
  });

  test('that is closed while it waits tells so, and stays away', async () => {
    const { socket, events } = watched(`ws://127.0.0.1:${await freePort()}/`, {
      backoff: { firstMs: 60_000, mostMs: 60_000 },
    });
    await until(events, 1);
    socket.close();
    await until(events, 2);
    expect(events).toEqual(['reconnecting 1006', 'close 1000']);
  });

  test('asks for a token each time, and offers it behind its protocols', async () => {
    const { url, clients } = await start();
    let asked = 0;
    const { events, socket } = watched(url, { protocols: ['chat'], token: async () => `t${++asked}` });
    await until(events, 1);
    expect(socket.protocol).toBe('chat');
    clients[0]?.socket.terminate();
    await until(events, 3);
    expect(clients.map(({ offered }) => offered)).toEqual(['chat, bearer, t1', 'chat, bearer, t2']);
  });

  test('ends where there is no token', async () => {
    const { url, clients } = await start();
    const { events } = watched(url, { token: () => Promise.reject(new Error('signed out')) });
    await until(events, 1);
    expect(events).toEqual(['close 3000 signed out']);
    expect(clients).toEqual([]);
  });

  test('has a connection with a new token before the old one ends', async () => {
    const { url, clients } = await start();
    const closed: number[] = [];
    let asked = 0;
    const token = () => freshToken({ exp: Date.now() / 1000 + (asked++ === 0 ? 2.3 : 60) });
    const { events, socket } = watched(url, { protocols: ['chat'], token });
    await until(events, 1);
    clients[0]?.socket.on('close', (code) => closed.push(code));
    await until(events, 2);
    await eventually(() => closed.length === 1);
    expect([events, closed, socket.readyState]).toEqual([['open', 'open'], [1000], Socket.OPEN]);
    socket.send('on the new one');
    await until(events, 3);
    expect(events[2]).toBe('message on the new one');
  });

  test('has what a WebSocket has', async () => {
    const { url, clients } = await start();
    const { events, socket } = watched(url);
    expect([socket.onmessage, socket.binaryType, socket.OPEN, Socket.OPEN]).toEqual([
      expect.anything(),
      'blob',
      1,
      1,
    ]);
    expect([socket.onerror, socket.bufferedAmount, socket.protocol]).toEqual([null, 0, '']);
    await until(events, 1);
    const received: unknown[] = [];
    socket.onmessage = ({ data, target }) => received.push(data, target);
    socket.binaryType = 'arraybuffer';
    clients[0]?.socket.send(Buffer.from([7]));
    await eventually(() => received.length === 2);
    expect(received).toEqual([new Uint8Array([7]).buffer, socket]);
    clients[0]?.socket.close(1000);
    await until(events, 2);
    // No reason was given, and none is made up.
    expect(events).toEqual(['open', 'close 1000']);
  });

  test('is not ended by a handler of its program that fails', async () => {
    const { url } = await start();
    const { socket } = watched(url);
    const thrown: unknown[] = [];
    const onThrown = (error: Error) => void thrown.push(error.message);
    const others = process.listeners('uncaughtException');
    process.removeAllListeners('uncaughtException').on('uncaughtException', onThrown);
    onTestFinished(() => {
      process.removeAllListeners('uncaughtException');
      for (const other of others) process.on('uncaughtException', other);
    });
    socket.onopen = () => {
      throw new Error('a bug');
    };
    await eventually(() => thrown.length === 1);
    expect([thrown, socket.readyState]).toEqual([['a bug'], Socket.OPEN]);
  });

  test('that is lost while another is on its way to replace it gets that one, and no third', async () => {
    const { url, clients } = await start();
    const slow = Promise.withResolvers<void>();
    let asked = 0;
    const { events } = watched(url, {
      async token() {
        if (asked++ === 0) return freshToken({ exp: Date.now() / 1000 + 2.2 });
        await slow.promise;
        return 't';
      },
    });
    await eventually(() => asked === 2);
    clients[0]?.socket.terminate();
    await until(events, 2);
    slow.resolve();
    await until(events, 3);
    expect([events, asked, clients.length]).toEqual([['open', 'reconnecting 1006', 'open'], 2, 2]);
  });

  test('keeps its connection while a new token can only be had later', async () => {
    const { url, clients } = await start();
    let asked = 0;
    const { events, socket } = watched(url, {
      token() {
        if (asked++ === 1) throw new ConnectionError(1013, 'busy');
        return freshToken({ exp: Date.now() / 1000 + (asked === 1 ? 2.2 : 60) });
      },
    });
    await until(events, 2);
    expect([events, asked, clients.length, socket.readyState]).toEqual([['open', 'open'], 3, 2, Socket.OPEN]);
  });

  test('whose tokens are always over, by the clock here, is replaced in pauses that grow', async () => {
    const { url, clients } = await start();
    const token = () => freshToken({ exp: Date.now() / 1000 - 7_200 });
    const { events } = watched(url, { token });
    const times: number[] = [];
    for (let count = 1; count <= 3; count++) {
      await until(events, count);
      times.push(performance.now());
    }
    const [first = 0, second = 0, third = 0] = times;
    expect(second - first).toBeGreaterThan(200);
    expect(third - second).toBeGreaterThan(400);
    expect(clients.length).toBe(3);
  });

  test('that is closed while it is being replaced tells so once, when the other side has answered', async () => {
    const { url, clients } = await start();
    let asked = 0;
    const { events, socket } = watched(url, {
      token: () =>
        asked++ === 0 ? freshToken({ exp: Date.now() / 1000 + 2.2 }) : new Promise<string>(() => {}),
    });
    await eventually(() => asked === 2);
    socket.close(3001, 'enough');
    await until(events, 2);
    expect([events, clients.length]).toEqual([['open', 'close 3001 enough'], 1]);
  });

  test('that is closed while it asks for its first token tells so', async () => {
    const { url, clients } = await start();
    const { events, socket } = watched(url, { token: () => new Promise<string>(() => {}) });
    socket.close(3001, 'enough');
    await until(events, 1);
    expect([events, clients, socket.readyState]).toEqual([['close 3001 enough'], [], Socket.CLOSED]);
  });
});
