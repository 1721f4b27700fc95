import { createClient } from 'graphql-ws';
import { Agent, fetch } from 'undici';
import { expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';
import { startGuardedExample } from '../support/example.ts';
import { eventually, within } from '../support/patience.ts';
import { startBoard } from './board.ts';

/**
 * GraphQL Yoga and graphql-ws behind one route, at one path, over TLS and with a token: queries by POST, subscriptions by
 * server-sent events and by WebSocket.
 */

const SUBSCRIPTION = 'subscription { posts }';

async function startScene() {
  const board = await startBoard();
  const guarded = await startGuardedExample('graphql', {
    'http://127.0.0.1:4000': `http://127.0.0.1:${board.port}`,
  });
  return { board, ...guarded };
}

/** The results in a stream of server-sent events, as GraphQL over SSE has them. */
async function* eventsIn(body: AsyncIterable<Uint8Array>): AsyncGenerator<unknown> {
  const decoder = new TextDecoder();
  let text = '';
  for await (const chunk of body) {
    const parts = (text + decoder.decode(chunk, { stream: true })).split('\n\n');
    text = parts.pop() as string;
    for (const part of parts) {
      const data = /^event: next\ndata: (.*)$/m.exec(part)?.[1];
      if (data !== undefined) yield JSON.parse(data);
    }
  }
}

/** The three ways in, for who brings these header fields. */
function clientOf(port: number, ca: Buffer, headers: Record<string, string>) {
  const url = `https://localhost:${port}/graphql`;
  const dispatcher = new Agent({ connect: { ca } });
  onTestFinished(() => dispatcher.destroy());

  async function post(query: string, variables: object = {}) {
    const response = await fetch(url, {
      method: 'POST',
      dispatcher,
      headers: { ...headers, 'content-type': 'application/json' },
      body: JSON.stringify({ query, variables }),
    });
    return { status: response.status, body: await response.text() };
  }

  /** As a page's EventSource asks for them. */
  async function* events(): AsyncGenerator<unknown> {
    const asked = { dispatcher, headers: { ...headers, accept: 'text/event-stream' } };
    const response = await fetch(`${url}?query=${encodeURIComponent(SUBSCRIPTION)}`, asked);
    if (response.status !== 200 || response.body === null) throw new Error(`status ${response.status}`);
    yield* eventsIn(response.body);
  }

  class Authorised extends WebSocket {
    constructor(address: string, protocols: string[]) {
      super(address, protocols, { ca, headers });
    }
  }
  function subscribe(): AsyncIterableIterator<unknown> {
    const client = createClient({
      url: url.replace('https', 'wss'),
      webSocketImpl: Authorised,
      retryAttempts: 0,
    });
    onTestFinished(() => client.dispose());
    return client.iterate({ query: SUBSCRIPTION });
  }
  return { post, ways: { 'server-sent events': events, WebSocket: subscribe } };
}

type Way = keyof ReturnType<typeof clientOf>['ways'];
const WAYS: readonly Way[] = ['server-sent events', 'WebSocket'];

function posted(text: string) {
  return { value: { data: { posts: text } }, done: false };
}

test('a query by POST is answered, and the service knows who asks', async () => {
  const { gateway, token, ca } = await startScene();
  const { post } = clientOf(gateway.port, ca, { authorization: `Bearer ${token}` });
  expect(await post('{ me }')).toEqual({ status: 200, body: '{"data":{"me":"alice"}}' });
});

test.each(WAYS)(
  'a subscription by %s brings what is posted, as it is posted, until its reader leaves',
  async (way) => {
    const { board, gateway, token, ca } = await startScene();
    const { post, ways } = clientOf(gateway.port, ca, { authorization: `Bearer ${token}` });
    const posts = ways[way]();
    expect(await within(posts.next(), 'the first event')).toEqual(posted('alice reads'));
    for (const text of ['one', 'two', 'three']) {
      expect((await post('mutation ($text: String!) { post(text: $text) }', { text })).status).toBe(200);
      expect(await within(posts.next(), `the event ${text}`)).toEqual(posted(text));
    }
    expect(board.readers()).toBe(1);
    await posts.return?.();
    await eventually(() => board.readers() === 0, 'the end of the subscription at the service');
    const ended = way === 'WebSocket' ? 'session ended' : 'request refused';
    await gateway.logged(({ msg, path }) => msg === ended && path === '/graphql');
  },
);

test('nobody comes in without a token', async () => {
  const { board, gateway, ca } = await startScene();
  const { post, ways } = clientOf(gateway.port, ca, {});
  expect((await post('{ me }')).status).toBe(401);
  for (const way of WAYS) await expect(within(ways[way]().next(), 'a refusal')).rejects.toBeDefined();
  const refused = gateway.log.filter(({ error }) => error === 'TOKEN_MISSING');
  expect(refused.map(({ msg }) => msg)).toEqual(['request refused', 'request refused', 'upgrade refused']);
  expect(board.readers()).toBe(0);
});
