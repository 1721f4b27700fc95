import { Client } from '@stomp/stompjs';
import { createClient } from 'graphql-ws';
import { expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';
import { type Guarded, startGuardedExample } from '../support/example.ts';
import { within } from '../support/patience.ts';
import { startRabbit } from '../support/rabbitmq.ts';
import { startBoard } from './board.ts';
import { browseWith } from './web-socket.ts';

/** Tokens in the first message of graphql-ws and stompjs, over TLS. */

async function startGraphql() {
  const board = await startBoard();
  const guarded = await startGuardedExample('first-message', {
    'http://127.0.0.1:4000': `http://127.0.0.1:${board.port}`,
  });
  class Trusting extends WebSocket {
    constructor(address: string, protocols: string[]) {
      super(address, protocols, { ca: guarded.ca });
    }
  }
  let asked = 0;
  function subscribe(connectionParams: object, retryAttempts = 0): AsyncIterableIterator<unknown> {
    const client = createClient({
      ...{ url: `wss://localhost:${guarded.gateway.port}/graphql`, webSocketImpl: Trusting, retryAttempts },
      retryWait: async () => {},
      connectionParams: () => {
        asked += 1;
        return { ...connectionParams };
      },
    });
    onTestFinished(() => client.dispose());
    return client.iterate({ query: 'subscription { posts }' });
  }
  return { ...guarded, subscribe, asked: () => asked };
}

test.each(['token', 'Authorization'])(
  'graphql-ws subscribes with the %s of its connectionParams',
  async (name) => {
    const { token, subscribe } = await startGraphql();
    const posts = subscribe({ [name]: `Bearer ${token}` });
    expect(await within(posts.next(), 'a word')).toMatchObject({ value: { data: { posts: 'alice reads' } } });
  },
);

test('graphql-ws asks for its connectionParams again as often as it may, where they hold no good token', async () => {
  const { subscribe, asked } = await startGraphql();
  await expect(within(subscribe({ token: 'a.b.c' }, 2).next(), 'an end')).rejects.toMatchObject({
    ...{ code: 3000, reason: 'The token is not valid.' },
  });
  expect(asked()).toBe(3);
});

function stompClient({ gateway }: Guarded, connectHeaders: Record<string, string>): Client {
  const client = new Client({
    ...{ brokerURL: `wss://localhost:${gateway.port}/stomp`, reconnectDelay: 0, connectHeaders },
  });
  onTestFinished(() => client.deactivate());
  return client;
}

test('stompjs talks to RabbitMQ, and is told by an ERROR what is wrong with its token', {
  timeout: 120_000,
}, async () => {
  const rabbit = await startRabbit();
  const guarded = await startGuardedExample('first-message', {
    '127.0.0.1:61613': `127.0.0.1:${rabbit.rawStomp}`,
  });
  browseWith(guarded, {});
  const login = { login: 'guest', passcode: 'guest', host: '/' };
  const good = stompClient(guarded, { ...login, 'x-token': guarded.token });
  const body = await within(
    new Promise<string>((resolve) => {
      good.onConnect = () => {
        good.subscribe('/queue/first', (message) => resolve(message.body));
        good.publish({ destination: '/queue/first', body: 'κόσμε' });
      };
      good.activate();
    }),
    'a message',
    15_000,
  );
  expect(body).toBe('κόσμε');
  const bad = stompClient(guarded, { ...login, 'x-token': 'a.b.c' });
  const error = new Promise<string | undefined>((resolve) => {
    bad.onStompError = ({ headers }) => resolve(headers.message);
  });
  const closed = new Promise<number>((resolve) => {
    bad.onWebSocketClose = ({ code }) => resolve(code);
  });
  bad.activate();
  expect(await within(error, 'an ERROR', 15_000)).toBe('The token is not valid.');
  expect(await within(closed, 'a Close', 15_000)).toBe(3000);
});
