import { once } from 'node:events';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { setTimeout } from 'node:timers/promises';
import { DurableStreamTestServer } from '@durable-streams/server';
import { startFauxqs } from 'fauxqs';
import { describe, expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';
import { exampleFeed } from '../support/feeds.ts';
import { startGateway } from '../support/gateway.ts';
import { inboxOf, until } from '../support/poll.ts';
import { serve } from './serve.ts';

/** Services of npm whose messages are fetched, behind the examples that say how to reach them. */

const COUNT = 300;
const JSON_BODY = { 'content-type': 'application/json' };

/** A client of a gateway with the `poll` of an example, and what it receives. */
async function listen(path: string, { poll, route }: ReturnType<typeof exampleFeed>) {
  const whole = { name: 'feed', auth: 'none', ...route, upstream: { poll } };
  const gateway = await startGateway(`routes: [${JSON.stringify(whole)}]`);
  onTestFinished(() => gateway.close());
  const client = new WebSocket(gateway.url(path));
  onTestFinished(() => client.terminate());
  const inbox = inboxOf(client);
  await once(client, 'open');
  return { client, inbox };
}

function numbers(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, index) => from + index);
}

/** PouchDB with CouchDB's HTTP API, in memory. */
async function startCouch(): Promise<string> {
  const require = createRequire(import.meta.url);
  const plugins = ['adapter-memory', 'mapreduce', 'replication'].map((name) => require(`pouchdb-${name}`));
  const Pouch = plugins.reduce((core, plugin) => core.plugin(plugin), require('pouchdb-core'));
  const options = { inMemoryConfig: true, mode: 'minimumForPouchDB' };
  const app = require('express-pouchdb')(Pouch.defaults({ adapter: 'memory' }), options);
  return `http://127.0.0.1:${await serve(createServer(app))}`;
}

test('CouchDB: the changes of a database come once each, those of before and those to come', async () => {
  const couch = await startCouch();
  const put = (path: string, body = '{}') => fetch(couch + path, { method: 'PUT', headers: JSON_BODY, body });
  await put('/db');
  const write = async (from: number, to: number) => {
    for (const number of numbers(from, to)) expect((await put(`/db/n${number}`)).status).toBe(201);
  };
  await write(1, COUNT / 2);
  const { inbox } = await listen('/changes/db?since=0', exampleFeed('couchdb', couch));
  await write(COUNT / 2 + 1, COUNT);
  await inbox.atLeast(COUNT);
  await put('/db/last');
  await inbox.atLeast(COUNT + 1);
  const ids = inbox.texts.map((text) => JSON.parse(text).id);
  expect(ids).toEqual([...numbers(1, COUNT).map((number) => `n${number}`), 'last']);
});

/** A durable stream of JSON; `add` makes it, adds to it and closes it. */
async function startStream() {
  const server = new DurableStreamTestServer({ port: 0 });
  const url = await server.start();
  onTestFinished(() => server.stop());
  const add = (method: string, body?: string, headers = {}) =>
    fetch(`${url}/s`, { method, headers: { ...JSON_BODY, ...headers }, body });
  expect((await add('PUT')).status).toBe(201);
  return { url, add, close: () => add('POST', undefined, { 'stream-closed': 'true' }) };
}

describe.each([
  ['long polls', 0, '/streams/s'],
  ['server-sent events', 1, '/live/s'],
])('a durable stream by %s', (_, index, path) => {
  const follow = async (url: string, query: string) => {
    const { client, inbox } = await listen(path + query, exampleFeed('durable-streams', url, index));
    return { inbox, closed: once(client, 'close') };
  };

  test('comes from its beginning, from an offset or from now on, and its end is the end', async () => {
    const { url, add, close } = await startStream();
    await add('POST', '1');
    const offset = (await add('POST', '2')).headers.get('stream-next-offset');
    const all = await follow(url, '');
    const late = await follow(url, `?offset=${offset}`);
    const now = await follow(url, '?offset=now');
    await all.inbox.atLeast(2);
    let last = 2;
    // Nobody tells when the stream is followed from now on.
    while (now.inbox.texts.length === 0) {
      await add('POST', `${++last}`);
      await setTimeout(10);
    }
    await close();
    const after = await follow(url, '');
    for (const { closed } of [all, late, now, after])
      expect((await closed).map(String)).toEqual(['1000', 'The service has no more messages.']);

    const texts = numbers(1, last).map((number) => (index === 0 ? `${number}` : `[${number}]`));
    expect(all.inbox.texts).toEqual(texts);
    expect(after.inbox.texts).toEqual(texts);
    expect(late.inbox.texts).toEqual(texts.slice(2));
    expect(now.inbox.texts).toEqual(texts.slice(-now.inbox.texts.length));
    expect(now.inbox.texts.length).toBeLessThan(last - 1);
  });
});

test('a durable stream comes whole and in order, with what its client adds', async () => {
  const { url, add } = await startStream();
  const { client, inbox } = await listen('/streams/s', exampleFeed('durable-streams', url));
  for (const number of numbers(1, COUNT)) await add('POST', `{"n":${number}}`);
  await inbox.atLeast(COUNT);
  client.send('{"n":"the client’s"}');
  await inbox.atLeast(COUNT + 1);
  const found = inbox.texts.map((text) => JSON.parse(text).n);
  expect(found).toEqual([...numbers(1, COUNT), 'the client’s']);
  const late = await listen('/streams/s', exampleFeed('durable-streams', url));
  expect(await late.inbox.atLeast(COUNT + 1)).toEqual(inbox.texts);
});

/** fauxqs, an SQS of its own, with the queue of the example: receives of it, and what has become of its messages. */
async function startQueue() {
  const server = await startFauxqs({ port: 0, logger: false });
  onTestFinished(() => server.stop());
  const { queueUrl } = server.createQueue('jobs', { attributes: { VisibilityTimeout: '1' } });
  const { poll, route } = exampleFeed('sqs', `http://127.0.0.1:${server.port}`);
  const named = JSON.stringify(poll).replaceAll('http://127.0.0.1:9324/000000000000/jobs', queueUrl);
  return { server, feed: { poll: JSON.parse(named), route } };
}

test('SQS: each message of a queue comes once to one of two clients, and none is left', async () => {
  const { server, feed } = await startQueue();
  const clients = [await listen('/jobs', feed), await listen('/jobs', feed)];
  const [sender] = clients;
  for (const number of numbers(1, COUNT)) sender?.client.send(`"${number}"`);
  const heard = () => clients.flatMap(({ inbox }) => inbox.texts);
  await until(() => heard().length >= COUNT, 'all messages', 30_000);
  const left = () => {
    const { ready, inflight } = server.inspectQueue('jobs')?.messages ?? { ready: [], inflight: [] };
    return ready.length + inflight.length;
  };
  await until(() => left() === 0, 'an empty queue', 10_000);
  expect(heard().sort()).toEqual(
    numbers(1, COUNT)
      .map((number) => `"${number}"`)
      .sort(),
  );
});
