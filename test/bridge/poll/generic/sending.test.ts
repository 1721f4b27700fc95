import { describe, expect, test } from 'vitest';
import type { Message, Profile } from '../../../../src/bridge/poll/profile.ts';
import { compileProfile } from '../../../../src/bridge/poll/profiles.ts';
import { sessionConfigOf } from '../../../../src/config/poll/index.ts';
import { type RouteConfig, schema } from '../../../../src/config/schema.ts';
import type { HttpAnswer } from '../../../../src/upstream/client.ts';
import type { AdmittedRequest } from '../../../../src/upstream/forward.ts';
import { codeOf } from '../../../support/codec.ts';

const TARGET = 'http://127.0.0.1:9';

/** A session of a route with this upstream, of a client whose `sub` is Ann. */
function sessionWith(upstream: object, request: Partial<AdmittedRequest> = {}): Profile {
  const config = schema.parse({
    listeners: [{ port: 0 }],
    issuers: { main: { issuer: 'https://id/', audience: 'a', algorithms: ['ES256'], publicKey: 'k.pem' } },
    routes: [
      { name: 'r', match: { path: '/rooms/{room}' }, auth: { issuer: 'main', token: ['basic'] }, upstream },
    ],
  });
  const [route] = config.routes as [RouteConfig];
  const poll = sessionConfigOf(route.upstream);
  if (poll === undefined) throw new Error('no session');
  const known = { connectionId: 'c-1', captures: { room: 'blue' }, query: 'a=1', protocols: [] };
  const grant = { claims: { sub: 'Ann "A"' }, releases: [] };
  return compileProfile(poll).create({ ...known, grant, ...request } as unknown as AdmittedRequest);
}

const posting = (post: object = {}, request?: Partial<AdmittedRequest>) =>
  sessionWith({ post: { target: TARGET, ...post } }, request);
const sending = (send: object = {}) =>
  sessionWith({ poll: { target: TARGET, send: { path: '/m', ...send } } });

const text = (data: string): Message => ({ data: Buffer.from(data), binary: false });
const binary = (...bytes: number[]): Message => ({ data: Buffer.from(bytes), binary: true });

function answer(body: string | Buffer, type?: string, status = 200): HttpAnswer {
  return { status, headers: type ? { 'content-type': type } : {}, body: Buffer.from(body) };
}

describe('a message is sent', () => {
  test('as it came, by its type, to the target itself', () => {
    const { sends } = sessionWith({ post: `${TARGET}/message` });
    expect(sends?.send([text('hé')], 1)).toEqual({
      method: 'POST',
      path: '',
      headers: { 'content-type': 'text/plain; charset=utf-8' },
      body: Buffer.from('hé'),
    });
    expect(sends?.send([binary(1, 2)], 2)).toEqual({
      method: 'POST',
      path: '',
      headers: { 'content-type': 'application/octet-stream' },
      body: Buffer.from([1, 2]),
    });
  });

  test('in the body, path and headers that are configured', () => {
    const { sends } = sending({
      path: '/m/{room}?n={seq}',
      method: 'PUT',
      body: '{"text":"{message}","user":"{claims.sub}","n":{seq}}',
      headers: { 'x-n': '{seq}', 'x-none': '{claims.none}' },
    });
    expect(sends?.send([text('say "hi"')], 3)).toEqual({
      method: 'PUT',
      path: '/m/blue?n=3',
      headers: { 'content-type': 'application/json', 'x-n': '3' },
      body: '{"text":"say \\"hi\\"","user":"Ann \\"A\\"","n":3}',
    });
  });

  test('as a form', () => {
    const type = 'application/x-www-form-urlencoded';
    const { sends } = posting({ path: '/m', text: type, body: 'text={message}&user={claims.sub}' });
    expect(sends?.send([text('a&b=c')], 1)).toMatchObject({
      headers: { 'content-type': type },
      body: 'text=a%26b%3Dc&user=Ann%20%22A%22',
    });
  });

  test.each([
    [
      { set: { '/stream': true } },
      '{"id":12345678901234567890}',
      '{"id":12345678901234567890,"stream":true}',
    ],
    [
      { set: { '/user': '{claims.sub}' } },
      '{"user":"root","a":[1.0e500]}',
      '{"user":"Ann \\"A\\"","a":[1.0e500]}',
    ],
    [{ set: { '/a/b': { c: [1] } } }, '{}', '{"a":{"b":{"c":[1]}}}'],
    [{ set: { '/list/0': 9, '/list/-': 8 } }, '{"list":[1,2]}', '{"list":[9,2,8]}'],
    [
      { set: { '/a': { b: ['{seq} { }', 1, null, true, { '{seq}': '{claims.sub}' }] } } },
      '{}',
      '{"a":{"b":["1 { }",1,null,true,{"{seq}":"Ann \\"A\\""}]}}',
    ],
    [{ set: { '/l': [], '/l/-': 1 } }, '{}', '{"l":[1]}'],
    [{ set: { '/__proto__': 1 } }, '{}', '{"__proto__":1}'],
    [{ set: { '/a~1b': null } }, '{"a/b":1}', '{"a/b":null}'],
    [{ remove: ['/debug', '/a/b', '/no/where'] }, '{"debug":1,"a":{"b":2,"c":3}}', '{"a":{"c":3}}'],
    [{ remove: ['/list/0'] }, '{"list":[1,2]}', '{"list":[2]}'],
    [{ set: { '/list': [] }, remove: ['/list'] }, '{"list":[1,2]}', '{"list":[]}'],
  ])('changed by %j: %s', (body, given, expected) => {
    const { sends } = sending({ body });
    const sent = sends?.send([text(given)], 1);
    expect(sent).toMatchObject({ headers: { 'content-type': 'application/json' }, body: expected });
    // A second one is not changed by the first.
    expect(sends?.send([text(given)], 1)).toEqual(sent);
  });

  test.each([
    [{ body: { set: { '/a': 1 } } }, text('not JSON')],
    [{ body: { set: { '/a': 1 } } }, text('[]')],
    [{ body: { set: { '/a': 1 } } }, text('5')],
    [{ body: { set: { '/a': 1 } } }, text('123456789012345678901')],
    [{ body: { set: { '/a': 1 } } }, text('null')],
    [{ body: { set: { '/a/b': 1 } } }, text('{"a":"x"}')],
    [{ body: { set: { '/a/9': 1 } } }, text('{"a":[]}')],
    [{ body: { set: { '/b': 1 } } }, text(`${'{"a":'.repeat(200_000)}1${'}'.repeat(200_000)}`)],
    [{ body: { remove: ['/a'] } }, binary(123, 125)],
    [{ body: '{"a":{message.json}}' }, text('{')],
    [{ body: '{"a":"{message}"}' }, binary(65)],
  ])('never where the body of %j cannot take it', (send, message) => {
    expect(codeOf(() => sending(send).sends?.send([message], 1))).toBe('UNSUPPORTED_DATA');
  });
});

describe('an answer', () => {
  test.each([
    ['hé', 'text/plain', [{ data: 'hé', binary: false }]],
    ['{"a":1}', 'application/json', [{ data: '{"a":1}', binary: false }]],
    ['ab', 'image/png', [{ data: Buffer.from('ab'), binary: true }]],
    ['', 'text/plain', []],
  ])('%j of the type %s is one message, or none', (body, type, messages) => {
    expect(posting().sends?.sent?.(answer(body, type))).toMatchObject({ messages, cursor: 'none' });
  });

  test('is of the type that is configured', () => {
    const { sends } = posting({ messages: { type: 'text' } });
    expect(sends?.sent?.(answer('ab', 'image/png')).messages).toEqual([{ data: 'ab', binary: false }]);
  });

  test('may hold several messages', () => {
    const messages = { framing: 'json-array', at: 'json:/items', item: 'json:/m' };
    const { sends } = posting({ response: 'batch', messages });
    const body = '{"items":[{"m":"a"},{"x":1},{"m":{"b":1}}]}';
    expect(sends?.sent?.(answer(body)).messages.map(({ data }) => data)).toEqual(['a', '{"b":1}']);
    expect(sends?.sent?.(answer('')).messages).toEqual([]);
    expect(codeOf(() => sends?.sent?.(answer('no JSON')))).toBe('UPSTREAM_INVALID');
  });

  test('may be a stream of events', () => {
    const { sends } = posting({ response: 'sse', messages: { item: 'json:/t' } });
    const reader = sends?.reader?.({ status: 200, headers: { 'content-type': 'text/event-stream' } });
    const datas = ['data: {"t":"he', 'llo"}\n\ndata: {"x":1}\n\n', 'data: [DONE]\n\ndata: half'].flatMap(
      (piece) =>
        (reader?.push(Buffer.from(piece)) ?? []).flatMap(({ messages }) => messages.map(({ data }) => data)),
    );
    expect(datas).toEqual(['hello', '[DONE]']);
    expect(reader?.end()).toEqual([]);
    expect(sends?.sent).toBeUndefined();
  });

  test('may be a stream of lines, framed otherwise than polls are', () => {
    const { sends } = sessionWith({
      poll: {
        target: TARGET,
        poll: { path: '/p' },
        messages: { framing: 'json-array', item: 'json:/m' },
        send: { path: '/m', response: 'ndjson' },
      },
    });
    const reader = sends?.reader?.({ status: 200, headers: {} });
    const batches = [...(reader?.push(Buffer.from('{"m":1}\n\n{"m":2}')) ?? []), ...(reader?.end() ?? [])];
    expect(batches.flatMap(({ messages }) => messages.map(({ data }) => data))).toEqual([
      '{"m":1}',
      '{"m":2}',
    ]);
  });

  test.each([
    [{}, 4 * 1024 * 1024],
    [{ response: 'ignore' }, 4 * 1024 * 1024],
    [{ response: 'ignore', refusal: 'close' }, 'ignored'],
    [{ response: 'ignore', refusal: 'ignore' }, 'ignored'],
    [{ response: 'sse', responseSize: '1KiB', refusal: 'close' }, 1024],
  ])('is read as far as needed with %j', (post, size) => {
    expect(posting(post).sends?.answerSize).toBe(size);
  });
});

describe('a refusal', () => {
  const refusal = (status: number) => answer('{"error":"no"}', 'application/json', status);

  test('of `post` is relayed, and of `poll` the end, unless it is said', () => {
    const relayed = { messages: [{ data: '{"error":"no"}', binary: false }], cursor: 'none' };
    expect(posting().sends?.refused?.(refusal(422))).toMatchObject(relayed);
    expect(sending().sends?.refused).toBeUndefined();
    expect(sending({ refusal: 'relay' }).sends?.refused?.(refusal(404))).toMatchObject(relayed);
    expect(posting({ refusal: 'close' }).sends?.refused).toBeUndefined();
    expect(posting({ refusal: 'ignore' }).sends?.refused?.(refusal(400))).toMatchObject({ messages: [] });
  });

  test('of who must prove himself anew is always the end', () => {
    expect(posting().sends?.refused?.(refusal(401))).toBeUndefined();
    expect(posting({ refusal: 'ignore' }).sends?.refused?.(refusal(401))).toBeUndefined();
  });

  test('that `codes` names is the end', () => {
    const { sends } = posting({ codes: { 402: 4402 } });
    expect(sends?.refused?.(refusal(402))).toBeUndefined();
    expect(sends?.refused?.(refusal(403))).toBeDefined();
  });

  test('without a body is an empty message, and one that is no UTF-8 is made text', () => {
    const datas = [Buffer.alloc(0), Buffer.from([0x61, 0xff])].map(
      (body) => posting().sends?.refused?.(answer(body, 'text/plain', 400))?.messages[0]?.data,
    );
    expect(datas).toEqual(['', 'a\ufffd']);
  });
});

test('one message at a time and in order, unless it is said', () => {
  expect(posting().sends).toMatchObject({ concurrency: 1, inOrder: true, timeoutMs: 30_000, resends: false });
  expect(posting({ concurrency: 8 }).sends).toMatchObject({ concurrency: 8, inOrder: true });
  expect(posting({ concurrency: 8, order: 'free' }).sends).toMatchObject({ concurrency: 8, inOrder: false });
});

describe('the opening and the end', () => {
  const close = {
    path: '/end/{session}?code={code}',
    method: 'POST',
    body: '["{reason}","{claims.sub}",{seq}]',
  };

  test('tell who it is, and why', () => {
    const open = { path: '/open', body: '{"user":"{claims.sub}","room":"{room}"}', session: 'json:/id' };
    const profile = posting({ open, path: '/m', close });
    expect(profile.open()).toEqual({
      method: 'POST',
      path: '/open?a=1',
      headers: { 'content-type': 'application/json' },
      body: '{"user":"Ann \\"A\\"","room":"blue"}',
    });
    profile.opened(answer('{"id":"s/7"}', 'application/json'));
    profile.sends?.send([text('a')], 5);
    const ending = { code: 4001, reason: 'bye "now"', by: 'client', clean: true } as const;
    expect(profile.close(ending)).toEqual({
      method: 'POST',
      path: '/end/s%2F7?code=4001',
      headers: { 'content-type': 'application/json' },
      body: '["bye \\"now\\"","Ann \\"A\\"",5]',
    });
  });

  test('before the 101 has no code but that of a cut', () => {
    const open = { path: '/open', session: 'json:/id' };
    const profile = posting({ open, path: '/m', close });
    profile.opened(answer('{"id":"s"}', 'application/json'));
    expect(profile.close()).toMatchObject({ path: '/end/s?code=1006', body: '["","Ann \\"A\\"",0]' });
  });

  test.each([
    [{ path: '/m/{claims.none}' }, 'FORBIDDEN'],
    [{ path: '/m/{query.none}' }, 'BAD_REQUEST'],
    [{ path: '/m', close: { path: '/{claims.none}' } }, 'FORBIDDEN'],
    [{ path: '/m/{claims.none|x}?b={query.none}' }, 'none'],
  ])('refuse at once a client whose later paths of %j cannot be made', (post, code) => {
    expect(codeOf(() => posting(post).open())).toBe(code);
  });

  test('refuse a service that names its session so that paths lead elsewhere', () => {
    const profile = posting({ open: { path: '/open', session: 'json:/id' }, path: '/s/{session}/m' });
    profile.open();
    expect(codeOf(() => profile.opened(answer('{"id":".."}')))).toBe('UPSTREAM_INVALID');
  });
});
