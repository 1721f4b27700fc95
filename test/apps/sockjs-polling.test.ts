import { createServer, type IncomingMessage } from 'node:http';
import sockjs, { type Connection, type ServerOptions } from 'sockjs';
import SockJS from 'sockjs-client';
import { expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';
import { startGateway } from '../support/gateway.ts';
import { eventually, within } from '../support/patience.ts';
import { closeOf, inboxOf } from '../support/poll.ts';
import { serve } from './serve.ts';

/** SockJS's own client, that speaks WebSocket, and its own server, that is only polled: nothing of it takes upgrades. */

const COUNT = 1_000;
const numbers = Array.from({ length: COUNT }, (_, index) => `${index} κόσμε \u2028`);

interface Stage {
  readonly url: (scheme: 'http' | 'ws', path?: string) => string;
  readonly requests: readonly IncomingMessage[];
  readonly connections: readonly Connection[];
  /** Reasons and words, as the service saw them. */
  readonly heard: readonly string[];
}

async function startStage(options: ServerOptions = {}): Promise<Stage> {
  const http = createServer();
  const echo = sockjs.createServer({ prefix: '/echo', log: () => {}, ...options });
  const connections: Connection[] = [];
  const heard: string[] = [];
  echo.on('connection', (connection) => {
    connections.push(connection);
    connection.on('close', () => heard.push('close'));
    connection.on('data', (text) => {
      heard.push(text);
      if (text !== 'last') connection.write(text);
    });
  });
  echo.installHandlers(http);
  http.removeAllListeners('upgrade');
  const requests: IncomingMessage[] = [];
  http.on('request', (request) => requests.push(request));
  const target = `http://127.0.0.1:${await serve(http)}`;
  const gateway = await startGateway(`
routes:
  - name: echo
    match: { path: /echo/* }
    auth: none
    upstream:
      poll: { profile: sockjs, target: "${target}", path: /echo }
      http: "${target}"`);
  onTestFinished(() => gateway.close());
  const url = (scheme: string, path = '') => `${scheme}://127.0.0.1:${gateway.port}/echo${path}`;
  return { url, requests, connections, heard };
}

function sendAll(socket: WebSocket, texts: readonly string[]): void {
  for (const text of texts) socket.send(text);
}

/** What a client was told until it was closed. */
interface Told {
  readonly transport: string;
  readonly texts: string[];
  readonly code: number;
  readonly reason: string;
}

/** Connects with the library; `onText` is called for each text, and closes it some time. */
function visit(
  { url }: Stage,
  onOpen: (socket: WebSocket) => void,
  onText = (_: WebSocket, _count: number) => {},
): Promise<Told> {
  return new Promise((resolve) => {
    const socket = new SockJS(url('http'), null, { transports: ['websocket'] }) as unknown as WebSocket;
    const texts: string[] = [];
    let transport = '';
    socket.onopen = () => {
      transport = (socket as unknown as Told).transport;
      onOpen(socket);
    };
    socket.onmessage = ({ data }) => {
      texts.push(String(data));
      onText(socket, texts.length);
    };
    socket.onclose = ({ code, reason }) => resolve({ transport, texts, code, reason });
  });
}

test('every message comes there and back in order, and few requests carry them', async () => {
  const stage = await startStage({ jsessionid: true });
  const told = await within(
    visit(
      stage,
      (socket) => sendAll(socket, numbers),
      (socket, count) => {
        if (count === COUNT) socket.close();
      },
    ),
    'the end',
    20_000,
  );
  expect(told).toEqual({ transport: 'websocket', texts: numbers, code: 1000, reason: 'Normal closure' });
  await eventually(() => stage.heard.length === COUNT + 1);
  expect(stage.heard).toEqual([...numbers, 'close']);
  expect(stage.requests.length).toBeLessThan(COUNT / 5);
  const [info, open, ...others] = stage.requests;
  expect([info?.url, info?.method, open?.headers.cookie]).toEqual([
    expect.stringMatching(/^\/echo\/info/),
    'GET',
    undefined,
  ]);
  for (const { url, headers } of others) {
    expect(url).toMatch(/\/xhr(_send)?$/);
    expect(headers.cookie).toBe('JSESSIONID=dummy');
  }
});

test('the service closes with a code and a reason', async () => {
  const stage = await startStage();
  const told = visit(
    stage,
    (socket) => socket.send('hello'),
    () => stage.connections[0]?.close('4001', 'enough'),
  );
  expect(await within(told, 'the end')).toMatchObject({ texts: ['hello'], code: '4001', reason: 'enough' });
});

test('what a client says before it leaves is heard, and that it has left', async () => {
  const stage = await startStage();
  const told = visit(stage, (socket) => {
    socket.send('last');
    socket.close();
  });
  expect(await within(told, 'the end')).toMatchObject({ code: 1000 });
  await eventually(() => stage.heard.length === 2);
  expect(stage.heard).toEqual(['last', 'close']);
});

test('heartbeats keep a quiet session', async () => {
  const stage = await startStage({ heartbeat_delay: 50, disconnect_delay: 400 });
  const client = new WebSocket(stage.url('ws', '/000/one/websocket'));
  onTestFinished(() => client.terminate());
  const inbox = inboxOf(client);
  expect(await inbox.atLeast(12)).toEqual(['o', ...Array(11).fill('h')]);
  expect(stage.heard).toEqual([]);
});

test('a bare WebSocket carries the texts alone', async () => {
  const stage = await startStage();
  const client = new WebSocket(stage.url('ws', '/websocket'));
  onTestFinished(() => client.terminate());
  const inbox = inboxOf(client);
  client.once('open', () => sendAll(client, numbers));
  expect(await inbox.atLeast(COUNT, 20_000)).toEqual(numbers);
  const closed = closeOf(client);
  stage.connections[0]?.close('3001', 'go');
  expect(await closed).toEqual({ code: 3001, reason: 'go' });
});

test('a session that the service has forgotten is ended', async () => {
  const stage = await startStage();
  const client = new WebSocket(stage.url('ws', '/000/one/websocket'));
  onTestFinished(() => client.terminate());
  const inbox = inboxOf(client);
  await inbox.atLeast(1);
  const closed = closeOf(client);
  stage.requests.at(-1)?.socket.destroy();
  expect((await closed).code).toBe(1014);
});
