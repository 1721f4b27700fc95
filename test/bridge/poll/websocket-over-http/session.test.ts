import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { type Clock, systemClock } from '../../../../src/bridge/poll/backoff.ts';
import {
  decodeEvents,
  encodeEvents,
  type SocketEvent,
} from '../../../../src/bridge/poll/websocket-over-http/events.ts';
import {
  closeOf,
  fixtures,
  type Harness,
  inboxOf,
  type ServiceRequest,
  until,
} from '../../../support/poll.ts';

/** Sessions between real sockets, with a service that answers each request as a test says. */

const { service, harness, undo } = fixtures();
afterEach(undo);

/** A clock on which every wait is over soon. */
const QUICK: Clock = { ...systemClock, sleep: (_, signal) => sleep(1, undefined, { signal }) };

const TYPE = { 'content-type': 'application/websocket-events' };
const GRIP = { ...TYPE, 'sec-websocket-extensions': 'grip' };

type Answer = readonly SocketEvent[] | { readonly headers: object; readonly events?: readonly SocketEvent[] };

const say = (data: string): SocketEvent => ({ type: 'TEXT', content: Buffer.from(data) });
const control = (message: object) => say(`c:${JSON.stringify(message)}`);
const close = (code: number): SocketEvent => ({
  type: 'CLOSE',
  content: Buffer.from([code >> 8, code & 255]),
});

/** Events as one line each. */
const linesOf = (events: readonly SocketEvent[]) =>
  events.map(({ type, content }) => (content === undefined ? type : `${type} ${content.toString('latin1')}`));

/** A service that takes every session up, and answers what comes later as it is told; what it was asked, as lines. */
async function start(
  answer: (events: readonly SocketEvent[], request: ServiceRequest) => Answer | Promise<Answer>,
  { poll = {}, opening = [] as Answer, clock = systemClock } = {},
) {
  const asked: string[][] = [];
  const backend = await service(async (request, response) => {
    const events = decodeEvents(request.body);
    asked.push(linesOf(events));
    const isOpen = events[0]?.type === 'OPEN';
    const said = isOpen ? opening : await answer(events, request);
    const { headers, events: later = [] } = 'headers' in said ? said : { headers: TYPE, events: said };
    response
      .writeHead(200, { ...TYPE, ...headers })
      .end(encodeEvents(isOpen ? [{ type: 'OPEN' }, ...later] : later));
  });
  const gateway = await harness({ profile: 'websocket-over-http', target: backend.url, ...poll }, { clock });
  return { asked, backend, gateway };
}

const echo = (events: readonly SocketEvent[]) => events.filter(({ type }) => type !== 'DISCONNECT');

async function refusalOf({ url }: Harness): Promise<{ message: IncomingMessage; body: string }> {
  const client = new WebSocket(`${url}/rooms/blue`).on('error', () => {});
  const [, message] = (await once(client, 'unexpected-response')) as [unknown, IncomingMessage];
  return { message, body: await text(message) };
}

describe('messages', () => {
  test('of ten thousand cost tens of requests, and keep their order', async () => {
    const { backend, gateway } = await start(echo);
    const client = await gateway.connect();
    const inbox = inboxOf(client);
    const expected = Array.from({ length: 10_000 }, (_, number) => `${number}`);
    for (const data of expected) client.send(data);
    expect(await inbox.atLeast(10_000, 20_000)).toEqual(expected);
    expect(backend.requests.length).toBeLessThan(100);
  });

  test('wait for a service that is restarted, and reach it once and in order', async () => {
    const { asked, backend, gateway } = await start(echo, { clock: QUICK });
    const client = await gateway.connect();
    const inbox = inboxOf(client);
    client.send('before');
    await inbox.atLeast(1);
    await backend.stop();
    const expected = Array.from({ length: 200 }, (_, number) => `${number}`);
    for (const data of expected) client.send(data);
    client.ping();
    await once(client, 'pong');
    await backend.start();
    expect((await inbox.atLeast(201)).slice(1)).toEqual(expected);
    expect(asked.slice(2).flat()).toEqual(expected.map((data) => `TEXT ${data}`));
  });

  test('go one by one where the configuration says so, with a key each', async () => {
    const { asked, backend, gateway } = await start(echo, { poll: { batch: { messages: 1 } } });
    const client = await gateway.connect();
    const inbox = inboxOf(client);
    for (const data of ['a', 'b', 'c']) client.send(data);
    await inbox.atLeast(3);
    expect(asked).toEqual([['OPEN'], ['TEXT a'], ['TEXT b'], ['TEXT c']]);
    const ids = backend.requests.map(({ headers }) => headers['connection-id']);
    expect(new Set(ids).size).toBe(1);
    const keys = backend.requests.slice(1).map(({ headers }) => headers['idempotency-key']);
    expect(keys).toEqual([1, 2, 3].map((number) => `${ids[0]}:${number}`));
  });

  test('with the answer to OPEN come behind the 101, and what it sets is in the 101', async () => {
    const headers = { ...TYPE, 'set-cookie': 'a=1', 'x-powered-by': 'x', 'set-meta-user': 'ann' };
    const { backend, gateway } = await start(echo, { opening: { headers, events: [say('welcome')] } });
    const client = new WebSocket(`${gateway.url}/rooms/blue?a=1`, {
      headers: { cookie: 'b=2', 'meta-user': 'eve' },
    });
    const inbox = inboxOf(client);
    await inbox.atLeast(1);
    client.send('x');
    expect(await inbox.atLeast(2)).toEqual(['welcome', 'x']);
    client.terminate();
    const [opening, first] = backend.requests;
    expect([opening?.url, opening?.headers.cookie, opening?.headers['meta-user']]).toEqual([
      '/rooms/blue?a=1',
      'b=2',
      undefined,
    ]);
    expect([first?.headers.cookie, first?.headers['meta-user']]).toEqual(['b=2; a=1', 'ann']);
  });
});

describe('the service', () => {
  test('is asked again after Keep-Alive-Interval, counted from its last answer', async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const { asked, gateway, backend } = await start(
      async (events) => {
        if (events[0]?.content?.toString() === 'slow') await promise;
        return [];
      },
      { opening: { headers: { ...GRIP, 'keep-alive-interval': '1' } } },
    );
    const client = await gateway.connect();
    client.send('slow');
    await until(() => asked.length === 2);
    resolve();
    await until(() => asked.length === 3);
    expect(asked[2]).toEqual([]);
    expect(backend.requests[2]?.headers['content-length']).toBe('0');
  });

  test.each([
    ['says CLOSE', [say('last'), close(4001)], { code: 4001, reason: '' }, ['CLOSE \x0f\xa1']],
    ['says CLOSE with 0', [say('last'), close(0)], { code: 1000, reason: '' }, ['CLOSE \x03\xe8']],
  ])('that %s ends the session, and is told that it has ended', async (_, events, seen, told) => {
    const { asked, gateway } = await start(() => events);
    const client = await gateway.connect();
    const inbox = inboxOf(client);
    client.send('x');
    expect(await closeOf(client)).toEqual(seen);
    expect(inbox.texts).toEqual(['last']);
    await until(() => asked.length === 3);
    expect(asked[2]).toEqual(told);
    expect(await gateway.endings[0]).toMatchObject({ code: seen.code, by: 'upstream', clean: true });
  });

  test.each<[string, Answer]>([
    ['opens again', [{ type: 'OPEN' }]],
    ['disconnects', [{ type: 'DISCONNECT' }]],
    ['answers something else', { headers: { 'content-type': 'text/html' } }],
  ])('that %s ends the session with 1014', async (_, events) => {
    const { asked, gateway } = await start(() => events);
    const client = await gateway.connect();
    client.send('x');
    expect((await closeOf(client)).code).toBe(1014);
    await until(() => asked.length === 3);
    expect(asked[2]).toEqual(['DISCONNECT']);
  });

  test('that refuses is heard by the client, and one that speaks otherwise is a bad gateway', async () => {
    const backend = await service(({ url }, response) => {
      if (url === '/rooms/blue') response.writeHead(403, { 'content-type': 'text/plain' }).end('no');
    });
    const refusing = await harness({ profile: 'websocket-over-http', target: backend.url });
    expect(await refusalOf(refusing)).toMatchObject({ message: { statusCode: 403 }, body: 'no' });
    const page = await service((_, response) => void response.end('<html>'));
    const other = await harness({ profile: 'websocket-over-http', target: page.url });
    const { message } = await refusalOf(other);
    expect([message.statusCode, message.headers['x-code']]).toEqual([502, 'UPSTREAM_INVALID']);
  });

  test('that answers more than responseSize ends the session, or begins none', async () => {
    const large = say('x'.repeat(2_000));
    const poll = { responseSize: '1KiB' };
    const { gateway } = await start(() => [large], { poll });
    const client = await gateway.connect();
    client.send('x');
    expect((await closeOf(client)).code).toBe(1014);
    const { message } = await refusalOf((await start(echo, { poll, opening: [large] })).gateway);
    expect(message.statusCode).toBe(502);
  });

  test('that cannot tell yet is asked again before the 101, for as long as there is time', async () => {
    const asked: ServiceRequest[] = [];
    const headers = { ...TYPE, 'keep-alive-interval': '1', 'set-meta-try': 'again' };
    const backend = await service((request, response) => {
      asked.push(request);
      if (asked.length === 2) response.writeHead(200, TYPE).end('OPEN\r\n');
      else response.writeHead(200, headers).end();
    });
    const profile = { profile: 'websocket-over-http', target: backend.url };
    const client = await (await harness(profile)).connect();
    expect(asked.map(({ body, headers: { 'meta-try': meta } }) => [`${body}`, meta])).toEqual([
      ['OPEN\r\n', undefined],
      ['OPEN\r\n', 'again'],
    ]);
    client.terminate();
  });

  test('hears of the client’s Close behind its last message', async () => {
    const { asked, gateway } = await start(echo);
    const client = await gateway.connect();
    client.send('last');
    client.close(4000, 'bye');
    expect(await closeOf(client)).toEqual({ code: 4000, reason: 'bye' });
    await until(() => asked.length === 3);
    expect(asked.slice(1)).toEqual([['TEXT last'], ['CLOSE \x0f\xa0bye']]);
  });

  test('hears with the client’s Close what it has not accepted before', async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const { asked, gateway } = await start(async ([first]) => {
      if (first?.content?.toString() !== 'hello') return [];
      await promise;
      return { headers: { 'content-bytes-accepted': '2' } };
    });
    const client = await gateway.connect();
    client.send('hello');
    await until(() => asked.length === 2);
    client.close(1000);
    await closeOf(client);
    resolve();
    await until(() => asked.length === 3);
    expect(asked[2]).toEqual(['TEXT llo', 'CLOSE \x03\xe8']);
  });

  test('hears of a client that is lost', async () => {
    const { asked, gateway } = await start(echo);
    (await gateway.connect()).terminate();
    await until(() => asked.length === 2);
    expect(asked[1]).toEqual(['DISCONNECT']);
  });

  test('hears of a client that leaves while it is asked, and of one that it answers too late', async () => {
    const asked: string[] = [];
    const backend = await service(({ body, headers }, response) => {
      asked.push(`${body}`.trim(), `${headers['connection-id']}`);
      if (!`${body}`.startsWith('OPEN')) response.writeHead(200, TYPE).end();
    });
    const poll = { profile: 'websocket-over-http', target: backend.url };
    const gateway = await harness(poll, { route: { timeouts: { handshake: '300ms' } } });
    const client = new WebSocket(`${gateway.url}/rooms/blue`).on('error', () => {});
    await until(() => asked.length === 2);
    client.terminate();
    await until(() => asked.length === 4);
    const { message } = await refusalOf(gateway);
    expect(message.statusCode).toBe(504);
    await until(() => asked.length === 8);
    const [, first, , , , second] = asked;
    expect(asked).toEqual(['OPEN', first, 'DISCONNECT', first, 'OPEN', second, 'DISCONNECT', second]);
  });

  test('that lets go of a session hears nothing more, and the session lives on', async () => {
    const { asked, gateway } = await start(() => [control({ type: 'detach' })], {
      opening: { headers: GRIP },
    });
    const client = await gateway.connect();
    client.send('detach');
    await until(() => asked.length === 2);
    for (let number = 0; number < 100; number++) client.send('more');
    client.ping();
    await once(client, 'pong');
    client.close(1000);
    await closeOf(client);
    await Promise.all(gateway.endings);
    expect(asked).toEqual([['OPEN'], ['TEXT detach']]);
  });
});
