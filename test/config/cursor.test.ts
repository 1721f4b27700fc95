import { describe, expect, test } from 'vitest';
import type { GenericConfig } from '../../src/config/poll/index.ts';
import { parsed, problemOf, sampleConfig } from '../support/config.ts';

/** A configuration with a poll route: the YAML of its `poll` section, in braces. */
function withPoll(poll: string): string {
  const route = `
  - name: feed
    match: { path: /feed }
    auth: none
    upstream: { poll: { target: http://127.0.0.1:3001, ${poll} } }`;
  return sampleConfig({ route });
}

function withCursor(cursor: string, more = 'messages: { framing: json-array }'): string {
  return withPoll(`poll: { path: /feed }, cursor: ${cursor}, ${more}`);
}

function withStream(cursor: string, messages = 'framing: ndjson'): string {
  return withPoll(`poll: { path: /feed, mode: stream }, cursor: ${cursor}, messages: { ${messages} }`);
}

describe('a cursor', () => {
  test('is one, or several that are kept together', () => {
    const cursors = (text: string) =>
      (parsed(withCursor(text)).routes[1]?.upstream.poll as GenericConfig | undefined)?.cursor;
    const one = '{ from: header:etag, send: header:if-none-match }';
    const expected = {
      from: { from: 'header', name: 'etag' },
      send: { to: 'header', name: 'if-none-match' },
    };
    expect(cursors(one)).toEqual([expected]);
    expect(cursors(`[${one}, ${one}]`)).toEqual([expected, expected]);
  });

  test.each([
    ['{ from: item:/id, pick: max, add: 1, send: query:offset, initial: "{query.offset|0}" }'],
    ['{ from: header:x-index, send: query:i, unchanged: skip, decreased: reset }'],
    ['{ from: json:/next, send: query:s, reset: { status: [400], json: { /code: 401, /a/b: null } } }'],
    ['{ from: json:/next, send: query:s, reset: [{ status: [410] }, { json: { "": x }, to: close }] }'],
  ])('accepts %s', (cursor) => {
    expect(() => parsed(withCursor(cursor))).not.toThrow();
  });

  test.each([
    ['{ from: json:/a, send: query:a, pick: max }', 'cursor.pick: has an effect with item:/pointer only'],
    ['[{ from: json:/a, send: query:a }, { from: json:/b }]', 'cursor[1].send: is required'],
    [
      '{ from: event:id, send: query:a }',
      'cursor.from: event:id has an effect with messages.framing: sse only',
    ],
    ['{ from: json:/a, send: query:a, initial: "{since}" }', 'cursor.initial: nothing fills {since} here'],
    [
      '{ from: json:/a, send: query:a, reset: { to: close } }',
      'says nothing of the answer: give status, json or both',
    ],
    [
      '{ from: json:/a, send: query:a, reset: { json: { code: 4 } } }',
      'json.code: is not a JSON pointer like /error/code',
    ],
    ['{ from: json:/a, send: query:a, reset: { status: [99] } }', 'status'],
    ['{ from: items:/a, send: query:a }', 'is not json:/pointer, header:NAME, item:/pointer or event:id'],
    ['{ from: event:type, send: query:a }', 'is not json:/pointer, header:NAME, item:/pointer or event:id'],
  ])('refuses %s', (cursor, message) => {
    expect(problemOf(withCursor(cursor))).toContain(message);
  });

  test.each(['content-type', 'Host', 'x-forwarded-for', 'Transfer-Encoding', 'X-Connection-Id'])(
    'is not sent as %s',
    (name) => {
      expect(problemOf(withCursor(`{ from: json:/a, send: header:${name} }`))).toContain(
        `cursor.send: ${name.toLowerCase()} is `,
      );
    },
  );

  test('stands in the path only once, for the first', () => {
    const path = (cursor: string) => withPoll(`poll: { path: "/feed/{cursor}" }, cursor: [${cursor}]`);
    expect(() => parsed(path('{ from: json:/a }, { from: json:/b, send: query:b }'))).not.toThrow();
    expect(problemOf(path('{ from: json:/a }, { from: json:/b }'))).toContain('cursor[1].send: is required');
  });

  test('is not sent as a header that carries a claim', () => {
    const text = withCursor('{ from: json:/a, send: header:X-User }').replace(
      /auth: none/,
      'auth: { issuer: main, forward: { x-user: sub } }',
    );
    expect(problemOf(text)).toContain('cursor.send: x-user carries a claim, by auth.forward');
  });

  test('stands in items where there are items', () => {
    const cursor = '{ from: item:/a, send: query:a }';
    for (const framing of ['body', 'json', 'lines'])
      expect(problemOf(withCursor(cursor, `messages: { framing: ${framing} }`))).toContain(
        `there are no items in ${framing}: write json:/pointer or header:NAME`,
      );
  });
});

describe('a stream', () => {
  test.each([
    ['{ from: item:/id, send: query:id }', 'framing: ndjson'],
    ['{ from: event:id, send: header:last-event-id }', 'framing: sse'],
  ])('accepts %s', (cursor, messages) => {
    expect(() => parsed(withStream(cursor, messages))).not.toThrow();
  });

  test.each([
    ['{ from: json:/a, send: query:a }', 'cursor.from: each event of a stream has its own'],
    ['{ from: header:a, send: query:a }', 'cursor.from: each event of a stream has its own'],
    ['{ from: item:/a, send: query:a, pick: max }', 'cursor.pick: has no effect with mode: stream'],
    [
      '{ from: item:/a, send: query:a, decreased: reset }',
      'cursor.decreased: has no effect with mode: stream',
    ],
  ])('refuses %s', (cursor, message) => {
    expect(problemOf(withStream(cursor))).toContain(message);
  });

  test.each([
    ['mode: stream', 'framing: body', 'messages.framing: a stream is sse, ndjson or lines'],
    ['mode: stream', 'framing: json-array', 'messages.framing: a stream is sse, ndjson or lines'],
    ['mode: stream, margin: 5s', 'framing: sse', 'poll.margin: has no effect with mode: stream'],
    ['mode: stream, backoff: json:/a', 'framing: sse', 'poll.backoff: has no effect with mode: stream'],
    ['silence: 5s', 'framing: body', 'poll.silence: has an effect with mode: stream only'],
  ])('refuses %s with %s', (poll, messages, message) => {
    expect(problemOf(withPoll(`poll: { path: /feed, ${poll} }, messages: { ${messages} }`))).toContain(
      message,
    );
  });
});

test.each([
  ['at: json:/a', 'messages.at: has an effect with json and json-array only'],
  ['framing: lines, item: json:/a', 'messages.item: has no effect with lines'],
  ['framing: json, item: json:/a', 'messages.item: has no effect with json'],
  ['framing: ndjson, sse: event', 'messages.sse: has an effect with sse only'],
  ['framing: sse, sse: event, item: json:/a', 'has no effect where the whole event is the message'],
])('messages: { %s } is refused', (messages, message) => {
  expect(problemOf(withPoll(`poll: { path: /feed }, messages: { ${messages} }`))).toContain(message);
});
