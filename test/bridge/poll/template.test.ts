import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  compileField,
  compileForm,
  compileJson,
  compilePath,
  compileText,
} from '../../../src/bridge/poll/template.ts';
import type { Scope } from '../../../src/bridge/poll/values.ts';
import { codeOf } from '../../support/codec.ts';

type Request = Scope['request'];
const claims = {
  sub: 'Zoë "Z" O/N',
  age: 42,
  ok: true,
  roles: ['a', 'b'],
  deep: { list: [{ id: 7 }] },
  none: null,
};

function scope(more: Omit<Scope, 'request'> = {}, request: Partial<Request> = {}): Scope {
  const known: Request = {
    connectionId: 'c-1',
    captures: { room: 'a%20b' },
    query: 'since=5&x=a%26b&empty=',
    grant: { claims },
    ...request,
  };
  return { request: known, ...more };
}

const text = (data: string) => ({ data: Buffer.from(data), binary: false });
const everything = scope({
  session: 's/1',
  cursor: 'c&1',
  holdMs: 25_400,
  seq: 3,
  ending: { code: 4001, reason: 'bye "now"\n' },
  message: text('{"n": 1.10, "s": "é"}'),
});

describe('a path', () => {
  test.each([
    ['/plain', '/plain'],
    ['/rooms/{room}/events', '/rooms/a%20b/events'],
    ['/e?sid={session}&wait={hold}&ms={hold_ms}', '/e?sid=s%2F1&wait=25&ms=25400'],
    ['/e?since={cursor}&n={seq}', '/e?since=c%261&n=3'],
    ['/e?{query}', '/e?since=5&x=a%26b&empty='],
    ['/{query}', '/since%3D5%26x%3Da%2526b%26empty%3D'],
    ['/e?a={query.x}&b={query.no}&c={query.no|z z}&d={query.empty|d}', '/e?a=a%26b&b=&c=z%20z&d='],
    ['/u/{claims.sub}/{claims.age}', '/u/Zo%C3%AB%20%22Z%22%20O%2FN/42'],
    ['/u/{claims./deep/list/0/id}', '/u/7'],
    ['/u/{claims.no|nobody}', '/u/nobody'],
    ['/c/{connection}?code={code}&why={reason}', '/c/c-1?code=4001&why=bye%20%22now%22%0A'],
    ['/{toString}{claims}', '/'],
  ])('renders %s as %s', (template, expected) => {
    expect(compilePath(template)(everything)).toBe(expected);
  });

  test('puts nothing where nothing is known yet', () => {
    expect(compilePath('/e/{cursor}?s={session}&n={seq}')(scope())).toBe('/e/?s=&n=');
  });

  test.each([
    ['a%20b%2Fc', 'a%20b%2Fc'],
    ['caf%E9', 'caf%E9'],
    ['a&b=c;d', 'a%26b%3Dc%3Bd'],
  ])('takes the captured segment %s as %s', (room, written) => {
    const path = compilePath('/rooms/{room}?in={room}&sid={session}')(
      scope({ session: 'a%b' }, { captures: { room } }),
    );
    expect(path).toBe(`/rooms/${written}?in=${written}&sid=a%25b`);
  });

  test.each([
    ['/u/{claims.no}/x', {}, 'FORBIDDEN'],
    ['/u/{claims.none}', {}, 'FORBIDDEN'],
    ['/u/{query.no}', {}, 'BAD_REQUEST'],
    ['/u/{session}/x', { session: '..' }, 'UPSTREAM_INVALID'],
    ['/u/.{session}?x', { session: '.' }, 'UPSTREAM_INVALID'],
    ['/u/{cursor}', { cursor: '.' }, 'UPSTREAM_INVALID'],
    ['/u/{session}', { session: '../../admin' }, 'UPSTREAM_INVALID'],
    ['/u/{session}', { session: 'a\\..' }, 'UPSTREAM_INVALID'],
    ['/u/{session}', { session: 'a/..b/.../c' }, 'none'],
    ['/u?a={claims.no}&b={session}', { session: '..' }, 'none'],
  ])('%s with %j is refused: %s', (template, more, code) => {
    expect(codeOf(() => compilePath(template)(scope(more)))).toBe(code);
  });

  test('that a captured segment would lead upward is refused', () => {
    const render = compilePath('/rooms/{room}/x');
    for (const room of ['..', '%2e%2E', '.', '..%2Fadmin', 'a%2f%2e%2e', '..%5Ca'])
      expect(codeOf(() => render(scope({}, { captures: { room } })))).toBe('BAD_REQUEST');
  });

  test('has the same segments and parameters, whatever the values', () => {
    const render = compilePath('/a/{claims.v|-}x/z?q={claims.v}&r={session}&n={query.v}');
    fc.assert(
      fc.property(fc.string({ unit: 'binary', minLength: 1 }), (value) => {
        const request = {
          grant: { claims: { v: value } },
          query: new URLSearchParams({ v: value }).toString(),
        };
        const path = render(scope({ session: value }, request));
        const url = new URL(path, 'http://h');
        expect(url.pathname.split('/')).toHaveLength(4);
        const told = value.toWellFormed();
        expect(decodeURIComponent(path.split('?')[0] ?? '')).toBe(`/a/${told}x/z`);
        expect([...url.searchParams]).toEqual([
          ['q', told],
          ['r', told],
          ['n', told],
        ]);
      }),
    );
  });
});

describe('a header', () => {
  test.each([
    ['{claims.sub}', 'Zo%C3%AB "Z" O/N'],
    ['id={claims.age}; roles={claims.roles}', 'id=42; roles=a,b'],
    ['{room} {connection}', 'a b c-1'],
    ['{cursor}{session}', 'c&1s/1'],
    ['{query}', 'since=5&x=a%26b&empty='],
    ['{reason}', 'bye "now"%0A'],
    ['{claims.no}', undefined],
    ['a {claims.deep} b', undefined],
    ['{claims.no|none}', 'none'],
  ])('renders %s as %s', (template, expected) => {
    expect(compileField(template)(everything)).toBe(expected);
  });

  test('is printable ASCII in one line, whatever the values', () => {
    const render = compileField('a{claims.v}b{cursor}c{query.v|-}d');
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (value) => {
        const request = {
          grant: { claims: { v: value } },
          query: new URLSearchParams({ v: value }).toString(),
        };
        expect(render(scope({ cursor: value }, request))).toMatch(/^[ -~]*$/);
      }),
    );
  });
});

describe('a body of JSON', () => {
  test.each([
    ['{"user":"{claims.sub}","n":{seq}}', '{"user":"Zoë \\"Z\\" O/N","n":3}'],
    ['{"text": "{message}"}', '{"text": "{\\"n\\": 1.10, \\"s\\": \\"é\\"}"}'],
    ['{"text": {message}}', '{"text": "{\\"n\\": 1.10, \\"s\\": \\"é\\"}"}'],
    ['{"data": {message.json}}', '{"data": {"n": 1.10, "s": "é"}}'],
    ['[{code}, "{code}", "{reason}"]', '[4001, "4001", "bye \\"now\\"\\n"]'],
    [
      '[{claims.roles}, {claims.ok}, {claims.no}, "{claims.no}", {claims.none}]',
      '[["a","b"], true, null, "", null]',
    ],
    ['["{claims.roles}", "\\"{room}\\"", {hold_ms}]', '["[\\"a\\",\\"b\\"]", "\\"a b\\"", 25400]'],
    ['{"{connection}": {}}', '{"c-1": {}}'],
    ['{ "a": "{ x }" }', '{ "a": "{ x }" }'],
  ])('renders %s as %s', (template, expected) => {
    expect(compileJson(template)(everything)).toBe(expected);
  });

  test('cannot take a message that is not JSON, or binary', () => {
    const json = compileJson('{"data":{message.json}}');
    expect(codeOf(() => json(scope({ message: text('{"a":') })))).toBe('UNSUPPORTED_DATA');
    expect(codeOf(() => json(scope({ message: text('1}, {"b":2') })))).toBe('UNSUPPORTED_DATA');
    expect(codeOf(() => json(scope({ message: { data: '1', binary: true } })))).toBe('UNSUPPORTED_DATA');
    expect(codeOf(() => compileJson('"{message}"')(scope({ message: { data: '1', binary: true } })))).toBe(
      'UNSUPPORTED_DATA',
    );
  });

  test('has every value as its text or itself, whatever it is', () => {
    const render = compileJson(
      '{"a":"<{claims.v}>","b":{claims.v},"c":"\\\\{cursor}\\"","d":{"m":"{message}"},"e":{claims.any}}',
    );
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.jsonValue(), (value, any) => {
        const request = { grant: { claims: { v: value, any } } };
        const body = render(scope({ cursor: value, message: { data: value, binary: false } }, request));
        expect(JSON.parse(body)).toEqual({
          a: `<${value}>`,
          b: value,
          c: `\\${value}"`,
          d: { m: value },
          e: JSON.parse(JSON.stringify(any)),
        });
      }),
    );
  });
});

test('a form has the same fields, whatever the values', () => {
  const render = compileForm('text={message}&user={claims.v}&room={room}');
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (value) => {
      const request = { grant: { claims: { v: value } } };
      const body = render(scope({ message: { data: value, binary: false } }, request));
      expect([...new URLSearchParams(body)]).toEqual([
        ['text', value],
        ['user', value],
        ['room', 'a b'],
      ]);
    }),
  );
});

test('a text has values as they are', () => {
  expect(compileText('{query.since|0}/{cursor}/{query.no|none}')(everything)).toBe('5/c&1/none');
});
