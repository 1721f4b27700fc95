import { once } from 'node:events';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { DurableStreamTestServer } from '@durable-streams/server';
import { expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';
import { exampleFeed } from '../support/feeds.ts';
import { startGateway } from '../support/gateway.ts';
import { inboxOf } from '../support/poll.ts';
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

test('a durable stream comes whole and in order, with what its client adds', async () => {
  const server = new DurableStreamTestServer({ port: 0 });
  const url = await server.start();
  onTestFinished(() => server.stop());
  const add = (method: string, body?: string) => fetch(`${url}/s`, { method, headers: JSON_BODY, body });
  expect((await add('PUT')).status).toBe(201);
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
