import {
  createTRPCClient,
  createWSClient,
  httpBatchLink,
  httpBatchStreamLink,
  httpSubscriptionLink,
  type TRPCLink,
  wsLink,
} from '@trpc/client';
import { EventSource } from 'eventsource';
import { Agent, fetch } from 'undici';
import { expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';
import { type Guarded, startGuardedExample } from '../support/example.ts';
import { eventually, within } from '../support/patience.ts';
import { type Calls, startCalls } from './calls.ts';

/** tRPC behind one route, over TLS and with a token: calls in batches, subscriptions by server-sent events and by WebSocket. */

async function startScene() {
  const calls = await startCalls();
  const changes = { 'http://127.0.0.1:4000': `http://127.0.0.1:${calls.port}` };
  return { calls, ...(await startGuardedExample('trpc', changes)) };
}

/** The ways in, for who brings these header fields. */
function linksOf({ gateway, ca }: Guarded, headers: Record<string, string>) {
  const url = `https://localhost:${gateway.port}/trpc`;
  const dispatcher = new Agent({ connect: { ca } });
  onTestFinished(() => dispatcher.destroy());
  /** Node's own fetch trusts no certificate of a test. */
  const trusting = ((input: string, init: Parameters<typeof fetch>[1]) =>
    fetch(input, { ...init, dispatcher })) as unknown as typeof globalThis.fetch;

  class Authorised extends WebSocket {
    constructor(address: string) {
      super(address, { ca, headers });
    }
  }

  function overWebSocket(): TRPCLink<Calls> {
    const client = createWSClient({
      url: `${url.replace('https', 'wss')}/socket`,
      WebSocket: Authorised as unknown as typeof globalThis.WebSocket,
      retryDelayMs: () => 60_000,
    });
    onTestFinished(() => client.close());
    return wsLink({ client });
  }

  return {
    batch: () => httpBatchLink<Calls>({ url, headers, fetch: trusting }),
    stream: () => httpBatchStreamLink<Calls>({ url, headers, fetch: trusting }),
    'server-sent events': () =>
      httpSubscriptionLink<Calls, typeof EventSource>({
        url,
        EventSource,
        eventSourceOptions: {
          fetch: (input, init) =>
            trusting(`${input}`, { ...init, headers: { ...init.headers, ...headers } } as RequestInit),
        },
      }),
    WebSocket: overWebSocket,
  };
}

function clientWith(link: TRPCLink<Calls>) {
  return createTRPCClient<Calls>({ links: [link] });
}

/** Reads the posts; the list goes on growing until it is stopped. */
function read(link: TRPCLink<Calls>) {
  const texts: string[] = [];
  const errors: unknown[] = [];
  const subscription = clientWith(link).posts.subscribe(undefined, {
    onData: (text) => texts.push(text),
    onError: (error) => errors.push(error),
  });
  return { texts, errors, stop: () => subscription.unsubscribe() };
}

const WAYS = ['server-sent events', 'WebSocket'] as const;

test('calls made together go in one request, and the service knows who calls', async () => {
  const scene = await startScene();
  const client = clientWith(linksOf(scene, { authorization: `Bearer ${scene.token}` }).batch());
  const answers = await Promise.all([
    client.me.query(),
    client.double.query('κ,/%2F '),
    client.double.query('b'),
  ]);
  expect(answers).toEqual(['alice', 'κ,/%2F κ,/%2F ', 'bb']);
  expect(scene.calls.requests).toEqual([
    expect.stringMatching(/^GET \/trpc\/me,double,double\?batch=1&input=/),
  ]);
});

test('an answer in pieces brings what is ready while the rest is still being made', async () => {
  const scene = await startScene();
  const client = clientWith(linksOf(scene, { authorization: `Bearer ${scene.token}` }).stream());
  const slow = client.next.query();
  expect(await within(client.double.query('a'), 'the call that is answered at once')).toBe('aa');
  await client.post.mutate('at last');
  expect(await slow).toBe('at last');
});

test.each(WAYS)('a subscription by %s brings what is posted, until its reader leaves', async (way) => {
  const scene = await startScene();
  const links = linksOf(scene, { authorization: `Bearer ${scene.token}` });
  const reader = read(links[way]());
  await eventually(() => reader.texts.length === 1, 'the first word');
  const { post } = clientWith(links.batch());
  for (const text of ['one', 'two', 'three']) {
    await post.mutate(text);
    await eventually(() => reader.texts.at(-1) === text, `the post ${text}`);
  }
  expect(reader).toMatchObject({ texts: ['alice reads', 'one', 'two', 'three'], errors: [] });
  expect(scene.calls.readers()).toBe(1);
  reader.stop();
  await eventually(() => scene.calls.readers() === 0, 'the end of the subscription at the service');
});

test('nobody comes in without a token', async () => {
  const scene = await startScene();
  const links = linksOf(scene, {});
  await expect(clientWith(links.batch()).me.query()).rejects.toThrow();
  for (const way of WAYS) read(links[way]());
  const refused = () => scene.gateway.log.filter(({ error }) => error === 'TOKEN_MISSING');
  await eventually(() => refused().length === 3, 'three refusals');
  expect(scene.calls.requests).toEqual([]);
});
