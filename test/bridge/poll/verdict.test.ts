import { expect, test } from 'vitest';
import { judgePoll, judgeSend } from '../../../src/bridge/poll/verdict.ts';

function outcome(judge: typeof judgePoll, status: number, headers = {}): string {
  try {
    return judge({ status, headers, body: Buffer.alloc(0) });
  } catch (error) {
    return (error as { code: string }).code;
  }
}

test.each([
  [200, 'done'],
  [204, 'done'],
  [304, 'done'],
  [408, 'done'],
  [300, 'refused'],
  [302, 'refused'],
  [400, 'refused'],
  [401, 'TOKEN_INVALID'],
  [403, 'FORBIDDEN'],
  [404, 'UPSTREAM_LOST'],
  [409, 'refused'],
  [410, 'UPSTREAM_LOST'],
  [429, 'refused'],
  [500, 'refused'],
  [503, 'refused'],
])('judges %i on a poll as %s', (status, expected) => {
  expect(outcome(judgePoll, status)).toBe(expected);
});

test.each([
  [200, 'done'],
  [202, 'done'],
  [300, 'UPSTREAM_INVALID'],
  [302, 'UPSTREAM_INVALID'],
  [400, 'UPSTREAM_INVALID'],
  [401, 'TOKEN_INVALID'],
  [403, 'FORBIDDEN'],
  [404, 'UPSTREAM_LOST'],
  [408, 'unsure'],
  [410, 'UPSTREAM_LOST'],
  [413, 'MESSAGE_TOO_BIG'],
  [415, 'UNSUPPORTED_DATA'],
  [425, 'refused'],
  [429, 'refused'],
  [500, 'unsure'],
  [502, 'unsure'],
  [503, 'unsure'],
  [504, 'unsure'],
])('judges %i on a message as %s', (status, expected) => {
  expect(outcome(judgeSend, status)).toBe(expected);
});

test('takes a 503 with Retry-After for what it says: not acted on', () => {
  expect(outcome(judgeSend, 503, { 'retry-after': '1' })).toBe('refused');
});
