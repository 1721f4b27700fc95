import { describe, expect, test } from 'vitest';
import { compileReceiving } from '../../../../src/bridge/poll/generic/receiving.ts';
import { SessionState } from '../../../../src/bridge/poll/generic/state.ts';
import type { Polls } from '../../../../src/bridge/poll/profile.ts';
import type { GenericConfig } from '../../../../src/config/poll/index.ts';
import type { AdmittedRequest } from '../../../../src/upstream/forward.ts';
import { pollRoute } from '../../../support/poll.ts';
import { emptyGrant, requestOf } from '../../../support/requests.ts';

/** A session with a `poll` as it is written; `ask` sends a poll and reads its answer. */
function session(poll: object, query?: string) {
  const config = pollRoute({ target: 'http://127.0.0.1:1', ...poll }).upstream.poll as GenericConfig;
  const request = { ...requestOf({ query }), grant: emptyGrant(), captures: {} };
  const state = new SessionState(request as AdmittedRequest, config);
  const polls = compileReceiving(config)?.(state) as Polls;
  const answer = (status: number, body: string, headers = {}) => ({
    status,
    headers,
    body: Buffer.from(body),
  });
  return { state, polls, answer, path: () => polls.poll().path };
}

describe('what the client asks for itself', () => {
  test('is not sent beside the cursor', () => {
    const cursor = { from: 'json:/next', send: 'query:since', initial: '0' };
    const { path } = session({ poll: { path: '/feed?{query}' }, cursor }, 'room=1&since=5');
    expect(path()).toBe('/feed?room=1&since=0');
  });

  test('may be where it begins, and is not sent twice', () => {
    const cursor = { from: 'json:/next', initial: '{query.since|0}' };
    const { path } = session({ poll: { path: '/feed?after={cursor}&{query}' }, cursor }, 'since=5&room=1');
    expect(path()).toBe('/feed?after=5&room=1');
  });

  test('is sent as it is where there is no cursor', () => {
    expect(session({ poll: { path: '/feed?{query}' } }, 'since=5&since=6').path()).toBe(
      '/feed?since=5&since=6',
    );
  });
});

describe('a service that wants to be left alone', () => {
  test.each([
    ['json:/backoff', '{"backoff":60}', {}, 60_000],
    ['json:/backoff', '{"backoff":"1.5"}', {}, 1_500],
    ['json:/backoff', '{}', {}, undefined],
    ['json:/backoff', '{"backoff":-1}', {}, undefined],
    ['json:/backoff', '{"backoff":"soon"}', {}, undefined],
    ['header:x-poll-interval', '{}', { 'x-poll-interval': '30' }, 30_000],
  ])('says so in %s: %s', (backoff, body, headers, expected) => {
    const { polls, answer } = session({ poll: { path: '/feed', backoff } });
    expect(polls.polled(answer(200, body, headers)).waitMs).toBe(expected);
  });
});

describe('a cursor that is not known any more', () => {
  const CURSOR = {
    from: 'json:/next',
    send: 'query:since',
    initial: '0',
    reset: [{ status: [410] }, { json: { '/error': 'gone' } }],
  };
  const FEED = {
    poll: { path: '/feed' },
    cursor: CURSOR,
    messages: { framing: 'json-array', at: 'json:/events' },
  };

  test('by its status: the next poll goes on where it began', () => {
    const { state, polls, answer, path } = session(FEED);
    state.cursors = ['9'];
    expect(polls.resets?.(answer(404, '{}'))).toBe(false);
    expect(path()).toBe('/feed?since=9');
    expect(polls.resets?.(answer(410, ''))).toBe(true);
    expect(path()).toBe('/feed?since=0');
  });

  test('within a 200: its messages are none, and the service is not asked at once', () => {
    const { state, polls, answer, path } = session(FEED);
    state.cursors = ['9'];
    const batch = polls.polled(answer(200, '{"error":"gone","events":[1],"next":10}'));
    expect(batch).toMatchObject({ messages: [], cursor: 'unmoved', waitMs: 1000 });
    batch.commit();
    expect(path()).toBe('/feed?since=0');
  });

  test('does not ask for anything where there is no cursor', () => {
    expect(session({ poll: { path: '/feed' } }).polls.resets).toBeUndefined();
  });
});

describe('an answer that says the end', () => {
  const MESSAGES = { framing: 'json-array', at: 'json:/events' };

  test.each([
    ['{"events":[1]}', { 'stream-closed': 'true' }, { header: { 'Stream-Closed': true } }],
    ['{"events":[1],"more":false}', {}, { json: { '/more': false } }],
    ['{"events":[1]}', {}, [{ json: { '/no': 1 } }, { status: [200] }]],
    ['{"events":[1],"n":3}', { a: 'b' }, { status: [200], header: { a: 'b' }, json: { '/n': 3 } }],
  ])('%s %o: %o', (body, headers, end) => {
    const { polls, answer } = session({ poll: { path: '/feed', end }, messages: MESSAGES });
    const batch = polls.polled(answer(200, body, headers));
    expect(batch).toMatchObject({ messages: [{ data: '1' }], end: { code: 1000 } });
  });

  test.each([
    ['{"events":[1]}', { 'stream-closed': 'false' }, { header: { 'stream-closed': true } }],
    ['{"events":[1],"more":true}', {}, { json: { '/more': false } }],
    ['{"events":[1],"n":3}', { a: 'c' }, { status: [200], header: { a: 'b' }, json: { '/n': 3 } }],
    ['{"events":[1],"n":3}', { a: 'b' }, { status: [204], header: { a: 'b' }, json: { '/n': 3 } }],
    ['{"events":[1]}', { 'stream-closed': 'true' }, undefined],
  ])('%s %o is none by %o', (body, headers, end) => {
    const { polls, answer } = session({ poll: { path: '/feed', end }, messages: MESSAGES });
    expect(polls.polled(answer(200, body, headers)).end).toBeUndefined();
  });

  test('needs no body, and no cursor', () => {
    const end = [{ status: [204] }, { json: { '/next': null } }];
    const cursor = { from: 'json:/next', send: 'query:since' };
    const { polls, answer } = session({ poll: { path: '/feed', end }, cursor, messages: MESSAGES });
    expect(polls.polled(answer(204, ''))).toMatchObject({ messages: [], end: { code: 1000 } });
    const batch = polls.polled(answer(200, '{"events":[1],"next":null}'));
    expect(batch).toMatchObject({ messages: [{ data: '1' }], end: { code: 1000 } });
  });
});

describe('a confirmation', () => {
  const QUEUE = {
    poll: { path: '/feed' },
    messages: { framing: 'json-array', item: 'json:/body' },
    confirm: {
      path: '/done',
      headers: { 'x-who': '{connection}' },
      type: 'application/x-amz-json-1.0',
      body: '{ "of": [{items}] }',
      item: '{ "id": {item./id}, "key": "{item./a/key}" }',
      timeout: '5s',
    },
  };

  test('says what there is to say of each item, message or not', () => {
    const { polls, answer } = session(QUEUE);
    const items = '[{"id":12345678901234567890,"a":{"key":"a\\"b"},"body":"m"},{"id":"two"},3]';
    const { messages, receipt } = polls.polled(answer(200, items));
    expect(messages).toHaveLength(1);
    expect(receipt).toMatchObject({
      timeoutMs: 5_000,
      request: {
        method: 'POST',
        path: '/done',
        headers: { 'content-type': 'application/x-amz-json-1.0', 'x-who': expect.any(String) },
      },
    });
    expect(receipt?.request.body).toBe(
      '{ "of": [{ "id": 12345678901234567890, "key": "a\\"b" },{ "id": "two", "key": "" },{ "id": null, "key": "" }] }',
    );
  });

  test.each([
    ['{"Failed":[{"Id":"1"}]}', false],
    ['{"Failed":"all"}', false],
    ['{"Failed":[],"Successful":[]}', true],
    ['{"Failed":null}', true],
    ['{}', true],
    ['', true],
  ])('answered with %s is taken: %s', (body, isTaken) => {
    const { polls, answer } = session({ ...QUEUE, confirm: { ...QUEUE.confirm, failed: 'json:/Failed' } });
    const { receipt } = polls.polled(answer(200, '[{"body":1}]'));
    expect(receipt?.answerSize).toBeGreaterThan(0);
    expect(receipt?.isTaken?.(answer(200, body))).toBe(isTaken);
  });

  test('is none where there are no items, or none is wanted', () => {
    const { polls, answer } = session(QUEUE);
    expect(polls.polled(answer(200, '[]')).receipt).toBeUndefined();
    expect(polls.polled(answer(204, '')).receipt).toBeUndefined();
    const { confirm, ...others } = QUEUE;
    expect(session(others).polls.polled(answer(200, '[{"body":1}]')).receipt).toBeUndefined();
  });
});

test('what stands in the body of a 408 is no message', () => {
  const { polls, answer } = session({ poll: { path: '/feed' } });
  expect(polls.polled(answer(408, 'nothing in time')).messages).toEqual([]);
  expect(polls.polled(answer(200, 'something')).messages).toHaveLength(1);
});

describe('a cursor', () => {
  const FEED = {
    poll: { path: '/feed' },
    cursor: { from: 'json:/next', send: 'query:since' },
    messages: { framing: 'json-array', at: 'json:/events' },
  };

  test('moves once its messages are out', () => {
    const { polls, answer, path } = session(FEED);
    const batch = polls.polled(answer(200, '{"events":[1],"next":10}'));
    expect(batch).toMatchObject({ cursor: 'moved' });
    expect(path()).toBe('/feed');
    batch.commit();
    expect(path()).toBe('/feed?since=10');
    expect(polls.polled(answer(200, '{"events":[1],"next":10}'))).toMatchObject({ cursor: 'unmoved' });
    expect(polls.polled(answer(304, ''))).toMatchObject({ messages: [], cursor: 'unmoved' });
  });

  test('is missed beside messages', () => {
    const { polls, answer } = session(FEED);
    expect(() => polls.polled(answer(200, '{"events":[1]}'))).toThrow(
      expect.objectContaining({
        code: 'UPSTREAM_INVALID',
        detail: 'an answer holds no cursor at json:/next',
      }),
    );
    expect(polls.polled(answer(200, '{"events":[]}')).messages).toEqual([]);
  });
});
