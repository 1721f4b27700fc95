import { createHmac } from 'node:crypto';
import { afterEach, describe, expect, test } from 'vitest';
import { ChannelHub } from '../../../src/bridge/poll/channels.ts';
import type { Message, ServiceEnd } from '../../../src/bridge/poll/profile.ts';
import { answer, postRoute, profileOf, said, sendsOf } from '../../support/codec.ts';
import { closeOf, fixtures, inboxOf, until } from '../../support/poll.ts';

const { service, harness, undo } = fixtures();
afterEach(undo);

const CHAT = { profile: 'cloudevents', hub: 'chat' };
const ALICE = {
  subject: 'alice',
  claims: { sub: 'alice', roles: ['a', 'b'], age: 7, o: { p: 1 } },
  releases: [],
};

describe('an event', () => {
  test('says what it is, of whom and from whom', () => {
    const request = sendsOf(profileOf(CHAT, { grant: ALICE })).send([said('hi')], 1);
    expect(request).toMatchObject({ method: 'POST', path: '/api/webpubsub/hubs/chat/' });
    expect(request.headers).toEqual({
      'webhook-request-origin': 'sallyport',
      'ce-specversion': '1.0',
      'ce-awpsversion': '1.0',
      'ce-type': 'azure.webpubsub.user.message',
      'ce-eventname': 'message',
      'ce-source': '/hubs/chat/client/c-1',
      'ce-id': '1',
      'ce-time': expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
      'ce-hub': 'chat',
      'ce-connectionid': 'c-1',
      'ce-userid': 'alice',
      'content-type': 'text/plain; charset=utf-8',
    });
    expect(String(request.body)).toBe('hi');
  });

  test('of octets says so', () => {
    const message = { data: Buffer.of(0, 255), binary: true };
    const { headers, body } = sendsOf(profileOf(CHAT)).send([message], 1);
    expect(headers['content-type']).toBe('application/octet-stream');
    expect(body).toEqual(Buffer.of(0, 255));
  });

  test('has a name of its own', () => {
    const profile = profileOf(CHAT);
    const ids = [profile.open(), sendsOf(profile).send([], 1), sendsOf(profile).send([said('a')], 2)];
    expect(ids.map((request) => request?.headers['ce-id'])).toEqual(['1', '2', '3']);
  });

  test('is signed by each secret', () => {
    const profile = profileOf({ ...CHAT, secret: ['old', 'new'] });
    const [old, young] = ['old', 'new'].map((key) => createHmac('sha256', key).update('c-1').digest('hex'));
    expect(profile.open()?.headers['ce-signature']).toBe(`sha256=${old},sha256=${young}`);
  });

  test('goes where and comes from whom the configuration says', () => {
    const { path, headers } = profileOf({ ...CHAT, path: '/e', origin: 'g.example' }).open() ?? {};
    expect(path).toBe('/e');
    expect(headers?.['webhook-request-origin']).toBe('g.example');
  });

  test.each([
    [undefined, 'alice'],
    ['age', '7'],
    ['/o/p', '1'],
    ['roles', undefined],
    ['none', undefined],
  ])('names the user by the claim %s: %s', (user, name) => {
    const profile = profileOf({ ...CHAT, ...(user && { user }) }, { grant: ALICE });
    expect(profile.open()?.headers['ce-userid']).toBe(name);
  });

  test('names a user whom a header cannot', () => {
    const grant = { ...ALICE, subject: 'Jürgen\r\nx: y' };
    expect(profileOf(CHAT, { grant }).open()?.headers['ce-userid']).toBe('J%C3%BCrgen%0D%0Ax: y');
  });
});

describe('connect', () => {
  test('tells all that is known of the client', () => {
    const request = profileOf(CHAT, {
      grant: ALICE,
      query: 'a=1&a=2&__proto__=x',
      protocols: ['p', 'q'],
      upstreamHeaders: [
        ['Accept', 'x'],
        ['Accept', 'y'],
      ],
    }).open();
    expect(request?.headers).toMatchObject({
      'ce-type': 'azure.webpubsub.sys.connect',
      'ce-eventname': 'connect',
      'content-type': 'application/json; charset=utf-8',
    });
    expect(JSON.parse(String(request?.body))).toEqual({
      claims: { sub: ['alice'], roles: ['a', 'b'], age: ['7'], o: ['{"p":1}'] },
      query: JSON.parse('{ "a": ["1", "2"], "__proto__": ["x"] }'),
      headers: { Accept: ['x', 'y'] },
      subprotocols: ['p', 'q'],
      clientCertificates: [],
    });
  });

  test.each(['', '{}', '{"userId":null,"groups":null,"subprotocol":""}', '{"userId":"","roles":["r"]}'])(
    'that is answered with %j changes nothing',
    (body) => {
      const profile = profileOf(CHAT, { grant: ALICE });
      expect(profile.opened(answer(body))).toEqual({ protocol: undefined });
      expect(sendsOf(profile).send([said('x')], 1).headers).toMatchObject({ 'ce-userid': 'alice' });
    },
  );

  test('gives the client another name, a subprotocol and a state', () => {
    const profile = profileOf(CHAT, { grant: ALICE, protocols: ['p', 'q'] });
    const body = '{"userId":"bob","subprotocol":"q"}';
    expect(profile.opened(answer(body, { 'ce-connectionstate': 'e30=' }))).toEqual({ protocol: 'q' });
    expect(sendsOf(profile).send([], 1).headers).toMatchObject({
      'ce-type': 'azure.webpubsub.sys.connected',
      'ce-userid': 'bob',
      'ce-subprotocol': 'q',
      'ce-connectionstate': 'e30=',
    });
  });

  test.each([
    ['<html>', 'is not JSON'],
    ['[]', 'is no JSON object'],
    ['null', 'is no JSON object'],
    ['{"userId":1}', 'has no text at userId'],
    ['{"groups":"a"}', 'has no list of texts at groups'],
    ['{"groups":[1]}', 'has no list of texts at groups'],
    ['{"subprotocol":"r"}', 'a subprotocol was chosen that was not offered'],
  ])('may not be answered with %s', (body, detail) => {
    expect(() => profileOf(CHAT, { protocols: ['p'] }).opened(answer(body))).toThrow(
      expect.objectContaining({ code: 'UPSTREAM_INVALID', detail: expect.stringContaining(detail) }),
    );
  });

  test('puts the client into groups, which are channels', async () => {
    const hub = new ChannelHub();
    const delivered: Message[] = [];
    const ends: ServiceEnd[] = [];
    const profile = profileOf(CHAT);
    profile.opened(answer('{"groups":["red","blue"]}'));
    profile.begin?.({
      connection: 'c-1',
      channels: hub.join(1_000),
      deliver: async (messages) => delivered.push(...messages) > 0,
      end: (end) => ends.push(end),
      nudge() {},
    });
    const message = { data: 'x', binary: false };
    expect(await hub.publish('red', { kind: 'message', message })).toBe(1);
    expect(await hub.publish('blue', { kind: 'end', end: { code: 4000, reason: '' } })).toBe(1);
    expect(await hub.publish('blue', { kind: 'refresh' })).toBe(0);
    expect([delivered, ends]).toEqual([[message], [{ code: 4000, reason: '' }]]);
    profile.finish?.();
    expect(hub.size).toBe(0);
  });
});

describe('a message', () => {
  test.each([
    ['', 'application/octet-stream', []],
    ['x', 'application/octet-stream', [{ data: Buffer.from('x'), binary: true }]],
    ['x', 'text/plain; charset=utf-8', [{ data: 'x', binary: false }]],
    ['[1]', 'application/json; charset=utf-8', [{ data: '[1]', binary: false }]],
  ])('is answered with %j as %s', (body, type, messages) => {
    const sends = sendsOf(profileOf(CHAT));
    sends.send([said('x')], 1);
    expect(sends.sent?.(answer(body, { 'content-type': type })).messages).toEqual(messages);
  });

  test('changes the state, which an empty one takes away', () => {
    const sends = sendsOf(profileOf(CHAT));
    const states = ['a', undefined, 'b', ''].map((state, index) => {
      const { headers } = sends.send([said('x')], index);
      sends.sent?.(answer('', state === undefined ? {} : { 'ce-connectionstate': state }));
      return headers['ce-connectionstate'];
    });
    expect([...states, sends.send([said('x')], 5).headers['ce-connectionstate']]).toEqual([
      undefined,
      'a',
      'a',
      'b',
      undefined,
    ]);
  });

  test('that is not, as `connected` is, answered: nothing of it counts', () => {
    const sends = sendsOf(profileOf(CHAT));
    sends.send([], 1);
    expect(sends.sent?.(answer('x', { 'ce-connectionstate': 'a' })).messages).toEqual([]);
    expect(sends.refused?.(answer('x', {}, 404))).toMatchObject({ messages: [] });
    expect(sends.send([said('x')], 2).headers['ce-connectionstate']).toBeUndefined();
  });

  test.each([
    [500, 'no more', {}, { code: 1011, reason: 'no more' }],
    [400, ' bad \n', { 'content-type': 'text/plain; charset=utf-8' }, { code: 1011, reason: 'bad' }],
    [401, '', {}, { code: 3000, reason: 'The service answered 401 to a message.' }],
    [422, 'x', {}, { code: 4422, reason: 'x' }],
    [
      500,
      '<p>',
      { 'content-type': 'text/html' },
      { code: 1011, reason: 'The service answered 500 to a message.' },
    ],
    [500, Buffer.of(255), {}, { code: 1011, reason: 'The service answered 500 to a message.' }],
  ])('that fails with %i ends the session', (status, body, headers, end) => {
    const profile = profileOf({ ...CHAT, codes: { 422: 4422 } });
    sendsOf(profile).send([said('x')], 1);
    expect(sendsOf(profile).refused?.(answer(body, headers, status))).toMatchObject({ end });
    expect(profile.codes).toEqual({ 422: 4422, 500: 1011 });
  });
});

describe('the end', () => {
  test.each([
    [{ code: 1001, reason: 'away' }, '1001 away'],
    [{ code: 1000, reason: '' }, '1000'],
    [undefined, '1006'],
  ])('of %j is told as %s', (ending, reason) => {
    const request = profileOf(CHAT).close(ending && { ...ending, by: 'client', clean: true });
    expect(request?.headers['ce-type']).toBe('azure.webpubsub.sys.disconnected');
    expect(JSON.parse(String(request?.body))).toEqual({ reason });
  });
});

test('what the service does not want to hear of is not told', async () => {
  const backend = await service((_request, response) => void response.end());
  const quiet = { ...CHAT, systemEvents: [] };
  const gateway = await harness({}, { route: postRoute(quiet, backend.url) });
  await backend.stop();
  const client = await gateway.connect();
  await backend.start();
  client.send('a');
  await until(() => backend.requests.length === 1);
  client.close();
  await gateway.endings[0];
  expect(backend.requests.map(({ headers }) => headers['ce-eventname'])).toEqual(['message']);
  expect(profileOf(quiet).close()).toBeUndefined();
});

test('a session goes its way, one event after the other', async () => {
  const backend = await service(({ headers, body }, response) => {
    if (headers['ce-eventname'] === 'connected') response.statusCode = 404;
    if (headers['ce-eventname'] !== 'message') return void response.end();
    if (String(body) === 'no') response.statusCode = 500;
    else response.setHeader('content-type', 'text/plain');
    response.end(`you said ${body}`);
  });
  const gateway = await harness({}, { route: postRoute(CHAT, backend.url) });
  const client = await gateway.connect();
  const inbox = inboxOf(client);
  client.send('yes');
  expect(await inbox.atLeast(1)).toEqual(['you said yes']);
  client.send('no');
  expect(await closeOf(client)).toEqual({ code: 1011, reason: 'you said no' });
  await until(() => backend.requests.length === 5);
  expect(backend.requests.map(({ headers }) => headers['ce-eventname'])).toEqual([
    'connect',
    'connected',
    'message',
    'message',
    'disconnected',
  ]);
  expect(String(backend.requests[4]?.body)).toBe('{"reason":"1011 you said no"}');
});

test.each([401, 403, 500])('a client that is refused with %i is not let in', async (status) => {
  const backend = await service((_request, response) => void response.writeHead(status).end('not you'));
  const gateway = await harness({}, { route: postRoute(CHAT, backend.url) });
  await expect(gateway.connect()).rejects.toThrow(`${status}`);
  expect(backend.requests).toHaveLength(1);
});
