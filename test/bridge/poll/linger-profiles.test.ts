import { once } from 'node:events';
import { afterEach, describe, expect, test } from 'vitest';
import { ChannelHub } from '../../../src/bridge/poll/channels.ts';
import { decodeEvents, encodeEvents } from '../../../src/bridge/poll/websocket-over-http/events.ts';
import { LINGER, lost, namesOf, Returner } from '../../support/lingering.ts';
import { fixtures, type ServiceHandler, until } from '../../support/poll.ts';

/** Protocols whose sessions outlive their clients: the service notices nothing until nobody has come back. */

const { service, harness, undo } = fixtures();
afterEach(undo);

/** Says each message back, and what else its protocol has it say. */
const echoEvents: ServiceHandler = ({ body, headers }, response) => {
  const events = decodeEvents(body).flatMap((event) => {
    if (event.type === 'OPEN') return [event, { type: 'TEXT', content: SUBSCRIBE }];
    return event.type === 'TEXT' ? [{ ...event, content: Buffer.from(`m:${event.content}`) }] : [event];
  });
  const grip = headers['sec-websocket-extensions'] ? { 'sec-websocket-extensions': 'grip' } : {};
  response.writeHead(200, { 'content-type': 'application/websocket-events', ...grip });
  response.end(encodeEvents(events));
};
const SUBSCRIBE = Buffer.from('c:{"type":"subscribe","channel":"room"}');

const echoCloudEvents: ServiceHandler = ({ body, headers }, response) => {
  if (headers['ce-type'] === 'azure.webpubsub.sys.connect') response.end('{"groups":["room"]}');
  else response.end(headers['ce-type'] === 'azure.webpubsub.user.message' ? body : '');
};

const echoFunction: ServiceHandler = ({ body }, response) => {
  const event = JSON.parse(String(body));
  response.end(JSON.stringify({ statusCode: 200, body: event.body }));
};

const PROFILES = [
  { profile: 'websocket-over-http', path: '/woh', handler: echoEvents, hasChannels: true, end: 'DISCONNECT' },
  { profile: 'cloudevents', hub: 'chat', handler: echoCloudEvents, hasChannels: true, end: '"1006"' },
  { profile: 'aws', handler: echoFunction, hasChannels: false, end: '"disconnectStatusCode":1006' },
] as const;

describe.each(PROFILES)('a client of $profile', ({ handler, hasChannels, end, ...session }) => {
  const route = (url: string, wait = '30s') => ({
    [session.profile === 'websocket-over-http' ? 'poll' : 'post']: {
      ...session,
      target: url,
      linger: { ...LINGER, for: wait },
    },
  });

  async function begin(wait?: string) {
    const channels = new ChannelHub();
    const backend = await service(handler);
    const gateway = await harness({}, { channels, route: { upstream: route(backend.url, wait) } });
    const client = new Returner(gateway);
    (await client.come()).send('one');
    expect(await client.atLeast(1)).toEqual(['one']);
    return { channels, backend, gateway, client };
  }

  test('that is lost comes back to its session, and to all that was said meanwhile', async () => {
    const { channels, backend, gateway, client } = await begin();
    const before = backend.requests.length;
    await lost(gateway, client);
    const message = { data: 'published', binary: false };
    if (hasChannels) expect(await channels.publish('room', { kind: 'message', message })).toBe(1);
    expect(await gateway.sessions[0]?.link?.push?.({ data: 'pushed', binary: false })).toBe(true);
    (await client.come()).send('two');
    const all = ['one', ...(hasChannels ? ['published'] : []), 'pushed', 'two'];
    expect(await client.atLeast(all.length)).toEqual(all);
    expect(backend.requests.length).toBe(before + 1);
    const names = backend.requests.map(
      ({ headers }) => headers['connection-id'] ?? headers['ce-connectionid'],
    );
    expect([namesOf(backend).size, new Set(names).size]).toEqual([1, 1]);
  });

  test('that does not come back is gone for the service in time', async () => {
    const { channels, backend, gateway, client } = await begin('50ms');
    await lost(gateway, client);
    await until(() => String(backend.requests.at(-1)?.body).includes(end));
    expect(channels.size).toBe(0);
    await expect(client.come()).rejects.toThrow('410');
  });
});

test('a client of SockJS’ frames begins a session with each connection, for it waits for the frame that opens one', async () => {
  const opened = new Set<string>();
  const backend = await service(({ url }, response) => {
    if (!opened.has(url)) response.end('o\n');
    opened.add(url);
  });
  const poll = { profile: 'sockjs', target: backend.url, path: '/echo', linger: LINGER };
  const gateway = await harness(poll);
  const client = new Returner(gateway, '/echo/000/any/websocket');
  for (const sessions of [1, 2]) {
    client.begin('');
    await client.atLeast(sessions);
    client.vanish();
    await gateway.endings[sessions - 1];
    expect(opened.size).toBe(sessions);
  }
  expect(client.texts).toEqual(['o', 'o']);
  expect((await gateway.endings[0])?.lingers).toBeUndefined();
  const [refused] = (await once(client.begin(), 'error')) as [Error];
  expect(refused.message).toContain('410');
});
