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
