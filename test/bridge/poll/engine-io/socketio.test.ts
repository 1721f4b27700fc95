import { once } from 'node:events';
import { createServer } from 'node:http';
import { text } from 'node:stream/consumers';
import { Server, type ServerOptions, type Socket as ServerSocket } from 'socket.io';
import { io, type ManagerOptions, type Socket, type SocketOptions } from 'socket.io-client';
import { expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';
import { startGateway, type TestGateway } from '../../../support/gateway.ts';
import { eventually, within } from '../../../support/patience.ts';
import { closeOf, inboxOf } from '../../../support/poll.ts';
import { portOf } from '../../../support/servers.ts';

/** Socket.IO's own server, that is only polled, and its own client, that only speaks WebSocket. */

const COUNT = 1_000;

interface Stage {
  readonly server: Server;
  /** Methods and paths of all requests. */
  readonly requests: readonly string[];
  readonly gateway: TestGateway;
  connect(namespace?: string, options?: Partial<ManagerOptions & SocketOptions>): Socket;
}

async function startStage(options: Partial<ServerOptions> = {}, prepare = (_: Server) => {}): Promise<Stage> {
  const http = createServer();
  const requests: string[] = [];
  http.on('request', ({ method, url }) => requests.push(`${method} ${url}`));
  const server = new Server(http, { transports: ['polling'], serveClient: false, ...options });
  server.on('connection', onConnection);
  prepare(server);
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  onTestFinished(() => server.close());
  const gateway = await startGateway(`
routes:
  - name: chat
    match: { path: /socket.io/* }
    auth: none
    limits: { messageSize: 4MiB }
    upstream: { poll: { profile: engine.io, target: "http://127.0.0.1:${portOf(http)}" } }`);
  onTestFinished(() => gateway.close());

  function connect(namespace = '/', own: Partial<ManagerOptions & SocketOptions> = {}): Socket {
    const alone = { transports: ['websocket'], reconnection: false, forceNew: true };
    const socket = io(`http://127.0.0.1:${gateway.port}${namespace}`, { ...alone, ...own });
    onTestFinished(() => {
      socket.disconnect();
    });
    return socket;
  }
  return { server, requests, gateway, connect };
}

/** Echoes with an acknowledgement, and by an event. */
function onConnection(socket: ServerSocket): void {
  socket.on('echo', (...given) => given.pop()(...given));
  socket.on('shout', (...given) => socket.emit('shouted', ...given));
}

/** The next event of that name. */
function heard(socket: Pick<Socket, 'once'>, event: string): Promise<unknown[]> {
  return within(
    new Promise((resolve) => {
      socket.once(event, (...given: unknown[]) => resolve(given));
    }),
    event,
  );
}

const octets = (size: number) => Buffer.from(Array.from({ length: size }, (_, index) => (index * 31) % 251));

test.each([
  ['texts', 'κόσμε 𝄞 \u0000 \u2028'],
  ['long texts', 'long '.repeat(30_000)],
  ['octets', octets(5_000)],
  ['no octets', octets(0)],
  ['mixtures', { parts: [octets(10), 'between', { more: octets(300) }, null] }],
])('%s are acknowledged, and come back as events', async (_, value) => {
  const { connect, requests } = await startStage();
  const socket = connect();
  expect(await within(socket.emitWithAck('echo', value), 'the acknowledgement')).toEqual(value);
  const shouted = heard(socket, 'shouted');
  socket.emit('shout', value, 'second');
  expect(await shouted).toEqual([value, 'second']);
  expect(requests.every((request) => request.includes('transport=polling'))).toBe(true);
});

test('namespaces, rooms and refusals are those of the server', async () => {
  const { connect, server } = await startStage({}, (io) => {
    io.of('/closed').use((_socket, next) => next(new Error('members only')));
    io.of('/open').on('connection', (socket) => socket.join(String(socket.handshake.query.room)));
  });
  const [one, other] = [
    connect('/open', { query: { room: 'a' } }),
    connect('/open', { query: { room: 'b' } }),
  ];
  await Promise.all([heard(one, 'connect'), heard(other, 'connect')]);
  const news = [heard(one, 'news'), heard(other, 'news')];
  server.of('/open').to('a').emit('news', 1);
  server.of('/open').emit('news', 2);
  expect(await Promise.all(news)).toEqual([[1], [2]]);
  const [error] = await heard(connect('/closed'), 'connect_error');
  expect(error).toMatchObject({ message: 'members only' });
});

test('many messages come each way in order, and few requests carry them', async () => {
  const { connect, server, requests } = await startStage();
  const socket = connect();
  const numbers = Array.from({ length: COUNT }, (_, index) => index);
  const [up, down]: number[][] = [[], []];
  server.on('connection', (peer) => peer.on('up', (number) => up?.push(number)));
  socket.on('down', (number) => down?.push(number));
  await heard(socket, 'connect');
  for (const number of numbers) {
    socket.emit('up', number);
    server.emit('down', number);
  }
  await eventually(() => up?.length === COUNT && down?.length === COUNT);
  expect([up, down]).toEqual([numbers, numbers]);
  expect(requests.length).toBeLessThan(COUNT / 5);
});

test('the server disconnects a client', async () => {
  const { connect, server } = await startStage();
  server.on('connection', (peer) => {
    peer.emit('last', 'word');
    peer.disconnect(true);
  });
  const socket = connect();
  const last = heard(socket, 'last');
  expect(await heard(socket, 'disconnect')).toMatchObject(['io server disconnect', undefined]);
  expect(await last).toEqual(['word']);
});

test('what a client says before it leaves is heard, and that it has left', async () => {
  const { connect, server } = await startStage();
  const socket = connect();
  const [peer] = (await heard(server as never, 'connection')) as [ServerSocket];
  const said = heard(peer as never, 'last');
  const left = heard(peer as never, 'disconnect');
  await heard(socket, 'connect');
  socket.emit('last', 'word');
  socket.disconnect();
  expect(await said).toEqual(['word']);
  expect(await left).toMatchObject(['client namespace disconnect', undefined]);
});

test('a client that vanishes is gone for the server at once', async () => {
  const { connect, server } = await startStage();
  const socket = connect();
  const [peer] = (await heard(server as never, 'connection')) as [ServerSocket];
  await heard(socket, 'connect');
  const left = heard(peer as never, 'disconnect');
  socket.io.engine.close();
  expect((await left)[0]).toBe('transport close');
});

test('pings are answered by the client itself', async () => {
  const { connect } = await startStage({ pingInterval: 40, pingTimeout: 3_000 });
  const socket = connect();
  let pings = 0;
  socket.io.on('ping', () => pings++);
  await eventually(() => pings >= 5);
  expect(socket.connected).toBe(true);
});

/** A client that does what the library would not. */
async function rawClient(
  { gateway }: Stage,
  onMessage: (packet: Buffer) => void = () => {},
): Promise<WebSocket> {
  const client = new WebSocket(gateway.url('/socket.io/?EIO=4&transport=websocket'));
  client.on('message', onMessage);
  onTestFinished(() => client.terminate());
  await within(once(client, 'message'), 'the open packet');
  return client;
}

test('a client that answers no pings is let go', async () => {
  const stage = await startStage({ pingInterval: 300, pingTimeout: 700 });
  const packets: string[] = [];
  const client = await rawClient(stage, (packet) => void packets.push(String(packet)));
  const closed = closeOf(client);
  await eventually(() => packets.length > 1);
  expect(packets).toEqual([expect.stringMatching(/^0\{/), '2']);
  // 1000 where a poll hangs at that moment; else the next one is refused.
  expect([1000, 1014]).toContain((await closed).code);
});

test('no packet is hidden in another', async () => {
  const stage = await startStage();
  const client = await rawClient(stage);
  const inbox = inboxOf(client);
  client.send('40');
  await inbox.atLeast(1);
  client.send('42["shout","x"]\x1e41');
  expect(await closeOf(client)).toEqual({ code: 1007, reason: 'An Engine.IO packet may not hold U+001E.' });
  expect(inbox.texts).toHaveLength(1);
});

test('a session that the server has lost is ended, so that the client begins another', async () => {
  const { connect, server } = await startStage();
  const socket = connect('/', { reconnection: true, reconnectionDelay: 1 });
  await heard(socket, 'connect');
  const again = heard(socket, 'connect');
  const left = heard(socket, 'disconnect');
  server.engine.close();
  expect((await left)[0]).toBe('transport close');
  await again;
});

test.each([
  ['EIO=3&transport=websocket', 'in version 4 only'],
  ['EIO=4&transport=websocket&sid=stolen', 'no sid may be named'],
])('a handshake for %s is refused', async (query, sentence) => {
  const { gateway, requests } = await startStage();
  const client = new WebSocket(gateway.url(`/socket.io/?${query}`));
  client.on('error', () => {});
  const [, response] = await within(once(client, 'unexpected-response'), 'the refusal');
  expect(response.statusCode).toBe(400);
  expect(await text(response)).toContain(sentence);
  expect(requests).toEqual([]);
});
