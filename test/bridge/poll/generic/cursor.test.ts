import { describe, expect, test } from 'vitest';
import { compileCursors } from '../../../../src/bridge/poll/generic/cursor.ts';
import { compileFraming } from '../../../../src/bridge/poll/generic/framing.ts';
import type { Scope } from '../../../../src/bridge/poll/values.ts';
import type { GenericConfig } from '../../../../src/config/poll/index.ts';
import { pollRoute } from '../../../support/poll.ts';

/** The cursors of a route, as they are written. */
function compiled(cursor: object | object[], messages: object = {}) {
  const poll = { target: 'http://127.0.0.1:1', poll: { path: '/feed?x={cursor}' }, cursor, messages };
  const config = pollRoute(poll).upstream.poll as GenericConfig;
  const rules = compileCursors(config.cursor ?? []);
  const read = compileFraming(config.messages);
  const place = (body: string, headers: Record<string, string> = {}, status = 200) => {
    const answer = { status, headers, body: Buffer.from(body) };
    return { ...answer, ...read(answer) };
  };
  return { rules, place };
}

/** What is known of a client with this query. */
function scopeOf(query: string | undefined): Scope {
  return { request: { connectionId: 'c', captures: {}, query, grant: { claims: {} } } };
}

const ITEMS = { framing: 'json-array' };

describe('a cursor in the items', () => {
  test.each([
    ['last', '[{"id":1},{"id":3},{"id":2}]', '2'],
    ['first', '[{"id":1},{"id":3},{"id":2}]', '1'],
    ['max', '[{"id":1},{"id":3},{"id":2}]', '3'],
    ['max', '[{"id":"9"},{"id":"10"}]', '10'],
    ['max', '[{"id":9007199254740993},{"id":9007199254740992}]', '9007199254740993'],
    ['max', '[{"id":-5},{"id":-7}]', '-5'],
    ['last', '[{"id":1},{"noId":3}]', '1'],
    ['last', '[]', undefined],
    ['max', '[{}]', undefined],
  ])('%s of %s is %s', (pick, body, expected) => {
    const { rules, place } = compiled({ from: 'item:/id', pick }, ITEMS);
    expect(rules.move(place(body), [undefined], [undefined]).next).toEqual([expected]);
  });

  test.each([
    ['max', '[{"id":1},{"id":"two"}]'],
    ['max', '[{"id":1.5}]'],
    ['max', '[{"id":1e3}]'],
    ['last', '[{"id":"a\\nb"}]'],
  ])('%s of %s is none', (pick, body) => {
    const { rules, place } = compiled({ from: 'item:/id', pick }, ITEMS);
    expect(() => rules.move(place(body), [undefined], [undefined])).toThrow(
      expect.objectContaining({ code: 'UPSTREAM_INVALID' }),
    );
  });

  test('is found in what is no message as well', () => {
    const { rules, place } = compiled({ from: 'item:/id' }, { ...ITEMS, item: 'json:/data' });
    const answer = place('[{"id":1,"data":"x"},{"id":2}]');
    expect(answer.messages).toEqual([{ data: 'x', binary: false }]);
    expect(rules.move(answer, [undefined], [undefined]).next).toEqual(['2']);
  });
});

test('the id of events is the last that was said', () => {
  const { rules, place } = compiled({ from: 'event:id' }, { framing: 'sse' });
  const answer = place('data: a\n\nid: 1\ndata: b\n\nid: 2\ndata: c\n\n');
  expect(rules.move(answer, [undefined], [undefined]).next).toEqual(['2']);
});

test.each([
  ['a control character', 'a\u0001b'],
  ['what is not ASCII', '\u{1f600}'],
  ['more than 4096 characters', 'x'.repeat(4_097)],
])('the id of an event does not hold %s, which could not be sent back', (_, id) => {
  const { rules, place } = compiled({ from: 'event:id' }, { framing: 'sse' });
  const answer = place(`id: ${id}\ndata: a\n\n`);
  expect(() => rules.move(answer, [undefined], [undefined])).toThrow(
    expect.objectContaining({ code: 'UPSTREAM_INVALID' }),
  );
});

test.each([
  [1, '12345678901234567890123', '12345678901234567890124'],
  [1, '9007199254740991', '9007199254740992'],
  [-1, '0', '-1'],
])('adding %s to %s makes %s', (add, found, expected) => {
  const { rules, place } = compiled({ from: 'json:/at', add });
  expect(rules.move(place(`{"at":${found}}`), ['7'], [undefined]).next).toEqual([expected]);
});

test('nothing is added to what is no whole number', () => {
  const { rules, place } = compiled({ from: 'json:/at', add: 1 });
  expect(() => rules.move(place('{"at":"x1"}'), ['7'], [undefined])).toThrow(
    expect.objectContaining({ code: 'UPSTREAM_INVALID' }),
  );
});

describe('an index that counts the changes', () => {
  const { rules, place } = compiled({
    from: 'header:x-index',
    unchanged: 'skip',
    decreased: 'reset',
    initial: '0',
  });
  const move = (now: string, index: string) => rules.move(place('{}', { 'x-index': index }), [now], ['0']);

  test.each([
    ['larger: it is news', '9', '10', { next: ['10'], isFound: true, isStale: false }],
    ['the same: it is none', '9', '9', { next: ['9'], isFound: true, isStale: true }],
    ['smaller: all begins anew', '10', '9', { next: ['0'], isFound: true, isStale: true }],
    ['no number: it is news', '10', 'a', { next: ['a'], isFound: true, isStale: false }],
  ])('%s', (_, now, index, expected) => expect(move(now, index)).toEqual(expected));
});

describe('where a session begins', () => {
  test.each([
    [undefined, undefined, undefined],
    ['0', undefined, '0'],
    ['{query.since}', 'since=5', '5'],
    ['{query.since}', 'after=5', undefined],
    ['{query.since|now}', undefined, 'now'],
    ['{query.since|now}', 'since=a%20b', 'a b'],
    ['v{query.a}.{query.b|2}', 'a=1', 'v1.2'],
  ])('%s with %s is %s', (initial, query, expected) => {
    expect(compiled({ from: 'json:/a', initial }).rules.initial(scopeOf(query))).toEqual([expected]);
  });

  test.each(['since=a%0d%0ax-admin:%201', 'since=%00', `since=${'x'.repeat(5000)}`, 'since=%C3%A9'])(
    'is not with %s, which could not be sent',
    (query) => {
      const { rules } = compiled({ from: 'json:/a', initial: '{query.since}' });
      expect(() => rules.initial(scopeOf(query))).toThrow(expect.objectContaining({ code: 'BAD_REQUEST' }));
    },
  );
});

describe('a poll', () => {
  const request = (path: string) => ({ method: 'GET', path, headers: { a: 'b' } });

  test.each([
    ['/feed', '/feed?since=a%26b'],
    ['/feed?since=5', '/feed?since=a%26b'],
    ['/feed?x=1&since=5&y=2', '/feed?x=1&y=2&since=a%26b'],
    ['/feed?s%69nce=5&x=?', '/feed?x=?&since=a%26b'],
  ])('carries its cursor in the query: %s', (path, expected) => {
    const { rules } = compiled({ from: 'json:/a', send: 'query:since' });
    expect(rules.put(request(path), ['a&b']).path).toBe(expected);
    expect(rules.put(request(path), [undefined]).path).toBe(path);
  });

  test('carries several', () => {
    const { rules } = compiled([
      { from: 'header:last-modified', send: 'header:If-Modified-Since' },
      { from: 'header:etag', send: 'header:if-none-match' },
    ]);
    expect(rules.put(request('/'), ['then', '3']).headers).toEqual({
      a: 'b',
      'if-modified-since': 'then',
      'if-none-match': '3',
    });
  });

  test('has of the client’s query what is not the cursor’s', () => {
    const { rules } = compiled({ from: 'json:/a', send: 'query:since', initial: '{query.from|0}' });
    expect(rules.otherQuery('a=1&from=3&since=4&b')).toBe('a=1&b');
    expect(rules.otherQuery('since=4')).toBeUndefined();
    expect(rules.otherQuery(undefined)).toBeUndefined();
  });
});

describe('a reset', () => {
  const { rules, place } = compiled({
    from: 'json:/next',
    initial: '0',
    reset: [
      { status: [400, 410], json: { '/code': 401, '/ok': false } },
      { status: [409], to: 'close' },
      { json: { '/error/type': 'gone' }, to: '5' },
    ],
  });
  const reset = (status: number, body: string) => rules.reset(place(body, {}, status), ['9'], ['0']);

  test.each([
    [400, '{"code":401,"ok":false}', ['0']],
    [410, '{"code":"401","ok":false}', ['0']],
    [400, '{"code":401}', undefined],
    [404, '{"code":401,"ok":false}', undefined],
    [400, 'not JSON', undefined],
    [400, '', undefined],
    [200, '{"error":{"type":"gone"}}', ['5']],
    [500, '{"error":{"type":"gone"}}', ['5']],
    [200, '{"error":{"type":{}}}', undefined],
  ])('%s with %s leads to %s', (status, body, expected) => {
    expect(reset(status, body)).toEqual(expected);
  });

  test('is not looked for in lists without end', () => {
    expect(reset(200, `{"error":{"type":${'['.repeat(200_000)}${']'.repeat(200_000)}}}`)).toBeUndefined();
  });

  test('may be the end', () => {
    expect(() => reset(409, '{}')).toThrow(expect.objectContaining({ code: 'UPSTREAM_LOST' }));
  });

  test('that leads nowhere else is the end', () => {
    expect(() => rules.reset(place('{"error":{"type":"gone"}}'), ['5'], ['0'])).toThrow(
      expect.objectContaining({ code: 'UPSTREAM_LOST' }),
    );
  });

  test('is each entry’s own', () => {
    const pair = compiled([
      { from: 'header:a', send: 'header:b', initial: '1', reset: { status: [410] } },
      { from: 'header:c', send: 'header:d' },
    ]);
    expect(pair.rules.reset(pair.place('', {}, 410), ['5', '6'], ['1', undefined])).toEqual(['1', '6']);
  });
});
