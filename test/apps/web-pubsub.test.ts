import { once } from 'node:events';
import { createServer } from 'node:http';
import {
  type ConnectedRequest,
  type ConnectRequest,
  type DisconnectedRequest,
  WebPubSubEventHandler,
} from '@azure/web-pubsub-express';
import express from 'express';
import { expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';
import { startGuardedExample } from '../support/example.ts';
import { eventually, within } from '../support/patience.ts';
import { closeOf, inboxOf } from '../support/poll.ts';
import { serve } from './serve.ts';

/** Handlers written for Azure Web PubSub, with Azure's own middleware: the gateway is the service here. */

const SECRET = 'a-secret-of-services-that-speak-first';

/** What the handlers have heard, in order. */
interface Heard {
  readonly connects: ConnectRequest[];
  readonly connected: ConnectedRequest[];
  readonly disconnected: DisconnectedRequest[];
}

/** A chat that counts in its state what each client has said. */
function chat({ connects, connected, disconnected }: Heard): WebPubSubEventHandler {
  return new WebPubSubEventHandler('chat', {
    handleConnect(request, response) {
      connects.push(request as ConnectRequest);
      if (request.queries?.room?.[0] === 'closed') return response.fail(401, 'the room is closed');
      response.setState('count', 0);
      response.success({ userId: `${request.context.userId}@chat`, subprotocol: 'chat', groups: ['lobby'] });
    },
    onConnected: (request) => void connected.push(request as ConnectedRequest),
    handleUserEvent(request, response) {
      const { context, dataType, data } = request;
      if (data === 'fail') return response.fail(500, 'that is too much');
      if (data === 'nothing') return response.success();
      const count = Number(context.states.count) + 1;
      response.setState('count', count);
      if (dataType === 'binary') return response.success(data as ArrayBuffer, 'binary');
      if (data === 'json') return response.success(JSON.stringify({ user: context.userId, count }), 'json');
      response.success(`${count} ${data}`, 'text');
    },
    onDisconnected: (request) => void disconnected.push(request as DisconnectedRequest),
  });
}

async function startScene() {
  const heard: Heard = { connects: [], connected: [], disconnected: [] };
  const app = express();
  app.use(chat(heard).getMiddleware());
  const port = await serve(createServer(app));
  const guarded = await startGuardedExample('web-pubsub', {
    'http://127.0.0.1:3000': `http://127.0.0.1:${port}`,
    'port: 9090': 'port: 0',
    '${PUSH_SECRET}': SECRET,
    '${ACCESS_KEY}': 'one',
    '${NEXT_ACCESS_KEY}': 'two',
  });
  return { heard, ...guarded };
}

type Scene = Awaited<ReturnType<typeof startScene>>;

function clientOf({ gateway, ca, token }: Scene, query = ''): WebSocket {
  const url = `wss://localhost:${gateway.port}/chat${query}`;
  const headers = { host: 'app.example.com' };
  const options = { ca, origin: 'https://app.example.com', headers };
  const client = new WebSocket(url, ['chat', 'other', `authorization.bearer.${token}`], options);
  client.on('error', () => {});
  onTestFinished(() => client.terminate());
  return client;
}

async function connect(scene: Scene) {
  const client = clientOf(scene, '?room=a&room=b');
  await within(once(client, 'open'), 'an open WebSocket');
  return { client, inbox: inboxOf(client) };
}

function admin({ gateway }: Scene, path: string, body: string, type: string): Promise<Response> {
  const url = `http://127.0.0.1:${gateway.gateway.adminAddress?.port}${path}`;
  const headers = { authorization: `Bearer ${SECRET}`, 'content-type': type };
  return fetch(url, { method: 'POST', headers, body });
}

test('a client is let in by the handler, named, counted, answered and told of', async () => {
  const scene = await startScene();
  const { connects, connected, disconnected } = scene.heard;
  const { client, inbox } = await connect(scene);
  expect(client.protocol).toBe('chat');
  client.send('nothing');
  client.send('hello');
  client.send(Buffer.of(0, 255));
  client.send('json');
  await inbox.atLeast(3);
  expect(inbox.messages.map(({ data, binary }) => (binary ? [...data] : String(data)))).toEqual([
    '1 hello',
    [0, 255],
    '{"user":"alice@chat","count":3}',
  ]);
  client.close(4001, 'bye');
  await eventually(() => disconnected.length === 1, 'the end at the handler');
  expect(connects[0]).toMatchObject({
    context: { userId: 'alice', hub: 'chat', eventName: 'connect', origin: 'sallyport', states: {} },
    claims: { sub: ['alice'], iss: ['https://id.example.com/'] },
    queries: { room: ['a', 'b'] },
    subprotocols: ['chat', 'other'],
  });
  const id = connects[0]?.context.connectionId;
  const context = { connectionId: id, userId: 'alice@chat', hub: 'chat' };
  expect(connected).toMatchObject([{ context: { ...context, states: { count: 0 } } }]);
  expect(disconnected).toMatchObject([{ context: { ...context, states: { count: 3 } }, reason: '4001 bye' }]);
  expect(JSON.stringify(scene.heard)).not.toContain(scene.token);
});

test('a message that the handler fails ends the connection with its words', async () => {
  const scene = await startScene();
  const { client } = await connect(scene);
  client.send('fail');
  expect(await closeOf(client)).toEqual({ code: 1011, reason: 'that is too much' });
  await eventually(() => scene.heard.disconnected.length === 1, 'the end at the handler');
});

test('a client that the handler refuses gets its answer, and nobody else hears of it', async () => {
  const scene = await startScene();
  const client = clientOf(scene, '?room=closed');
  const [, response] = await within(once(client, 'unexpected-response'), 'the refusal');
  expect(response.statusCode).toBe(401);
  let body = '';
  for await (const chunk of response) body += chunk;
  expect(body).toBe('the room is closed');
  expect(scene.heard).toMatchObject({ connected: [], disconnected: [] });
});

test('the backend speaks first, to one or to a group', async () => {
  const scene = await startScene();
  const { inbox } = await connect(scene);
  const id = scene.heard.connects[0]?.context.connectionId;
  expect((await admin(scene, `/connections/${id}`, 'to you', 'text/plain')).ok).toBe(true);
  const items = [{ channel: 'lobby', formats: { 'ws-message': { content: 'to all' } } }];
  expect((await admin(scene, '/publish', JSON.stringify({ items }), 'application/json')).ok).toBe(true);
  expect(await inbox.atLeast(2)).toEqual(['to you', 'to all']);
});
