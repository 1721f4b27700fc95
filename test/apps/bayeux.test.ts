import { createServer } from 'node:http';
import { CometD } from 'cometd';
import { adapt } from 'cometd-nodejs-client';
import faye, { type Client, type NodeAdapter } from 'faye';
import { expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { eventually, within } from '../support/patience.ts';
import { inboxOf } from '../support/poll.ts';
import { serve } from './serve.ts';

/** The clients of Faye and CometD, that speak WebSocket, and Faye's server, that is only polled: nothing of it takes upgrades. */

const COUNT = 1_000;
const numbers = Array.from({ length: COUNT }, (_, index) => index);

interface Stage {
  readonly gateway: TestGateway;
  readonly bayeux: NodeAdapter;
  readonly endpoint: string;
  /** Bodies of requests, with where they went. */
  readonly requests: readonly string[];
  /** Clients that the server holds to be gone. */
  readonly gone: readonly string[];
  /** Takes every connection from the server. */
  cut(): void;
}

async function startStage(beside = true): Promise<Stage> {
  const http = createServer();
  const bayeux = new faye.NodeAdapter({ mount: '/bayeux', timeout: 20 });
  const requests: string[] = [];
  const gone: string[] = [];
  bayeux.on('disconnect', (clientId) => gone.push(clientId));
  bayeux.attach(http);
  http.removeAllListeners('upgrade');
  http.prependListener('request', (request) => {
    let body = '';
    request.on('data', (chunk) => {
      body += chunk;
    });
    request.on('end', () => requests.push(body));
  });
  const target = `http://127.0.0.1:${await serve(http)}`;
  const gateway = await startGateway(`
routes:
  - name: events
    match: { path: /bayeux }
    auth: none
    upstream:
      poll: { profile: bayeux, target: "${target}", path: /bayeux }
      ${beside ? `http: "${target}"` : ''}`);
  onTestFinished(() => gateway.close());
  const endpoint = `http://127.0.0.1:${gateway.port}/bayeux`;
  return { gateway, bayeux, requests, gone, endpoint, cut: () => http.closeAllConnections() };
}

function fayeClient({ endpoint }: Stage): Client {
  const client = new faye.Client(endpoint, { retry: 0.05 });
  onTestFinished(() => void client.disconnect());
  return client;
}

const sessions = ({ gateway }: Stage) => gateway.log.filter(({ msg }) => msg === 'session opened').length;

test('Faye’s client hears what others publish, in order', async () => {
  const stage = await startStage();
  const [one, other] = [fayeClient(stage), fayeClient(stage)];
  const heard: unknown[] = [];
  await within(
    one.subscribe('/news', (data) => heard.push(data)),
    'the subscription',
  );
  // Its connection made, it keeps the order itself.
  await within(other.publish('/hello', 0), 'a first message');
  for (const number of numbers) void other.publish('/news', number);
  await eventually(() => heard.length === COUNT, 'all messages', 20_000);
  expect(heard).toEqual(numbers);
  expect(stage.requests.join()).not.toContain('"connectionType":"websocket"');
  expect(stage.requests.join()).toContain('"connectionType":"long-polling"');
  expect(stage.requests.length).toBeLessThan(COUNT / 2);
  await one.disconnect();
  await eventually(() => stage.gone.length === 1);
});

test('Faye’s client goes on with its session when the connection to the server was lost', async () => {
  const stage = await startStage();
  const client = fayeClient(stage);
  const heard: unknown[] = [];
  await within(
    client.subscribe('/news', (data) => heard.push(data)),
    'the subscription',
  );
  const connects = () => stage.requests.filter((body) => body.includes('/meta/connect')).length;
  await eventually(() => sessions(stage) === 1 && connects() > 0);
  const before = connects();
  stage.cut();
  const lost = await stage.gateway.logged(({ msg }) => msg === 'session ended');
  expect(lost).toMatchObject({ by: 'upstream', close: 1014, error: 'UPSTREAM_LOST' });
  await eventually(() => sessions(stage) === 2 && connects() > before);
  stage.bayeux.getClient().publish('/news', 'after that');
  await eventually(() => heard.length === 1);
  expect(heard).toEqual(['after that']);
  expect(stage.gone).toEqual([]);
});

test('CometD’s client does all over its WebSocket', async () => {
  const stage = await startStage(false);
  adapt();
  const cometd = new CometD();
  cometd.unregisterTransport('long-polling');
  cometd.configure({ url: stage.endpoint, logLevel: 'warn' });
  const hello = await within(new Promise((resolve) => cometd.handshake(resolve)), 'the handshake');
  expect(hello).toMatchObject({ successful: true });
  const heard: unknown[] = [];
  await within(
    new Promise((resolve) => cometd.subscribe('/news', ({ data }) => heard.push(data), resolve)),
    'the subscription',
  );
  cometd.batch(() => {
    for (const number of numbers.slice(0, 100)) cometd.publish('/news', { number });
  });
  stage.bayeux.getClient().publish('/news', 'from the service');
  await eventually(() => heard.length === 101);
  expect(heard.filter((data) => data !== 'from the service')).toEqual(
    numbers.slice(0, 100).map((number) => ({ number })),
  );
  await within(new Promise((resolve) => cometd.disconnect(resolve)), 'the goodbye');
  await eventually(() => stage.gone.length === 1);
});

test('a client that goes without a word is gone for the server at once, though its connect hangs', async () => {
  const stage = await startStage(false);
  const client = new WebSocket(stage.endpoint.replace('http', 'ws'));
  onTestFinished(() => client.terminate());
  const inbox = inboxOf(client);
  const say = (message: object) => client.send(JSON.stringify([message]));
  client.once('open', () =>
    say({ channel: '/meta/handshake', version: '1.0', supportedConnectionTypes: ['websocket'] }),
  );
  const [reply] = JSON.parse((await inbox.atLeast(1))[0] as string);
  expect(reply).toMatchObject({
    successful: true,
    supportedConnectionTypes: expect.arrayContaining(['websocket']),
  });
  say({
    channel: '/meta/connect',
    clientId: reply.clientId,
    connectionType: 'websocket',
    advice: { timeout: 0 },
  });
  await inbox.atLeast(2);
  say({ channel: '/meta/connect', clientId: reply.clientId, connectionType: 'websocket' });
  await eventually(() => stage.requests.length === 3);
  client.terminate();
  await eventually(() => stage.gone.length === 1);
  expect(stage.gone).toEqual([reply.clientId]);
  expect(await stage.gateway.logged(({ msg }) => msg === 'session ended')).toMatchObject({ by: 'client' });
  expect(sessions(stage)).toBe(1);
});
