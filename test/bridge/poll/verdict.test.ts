import { describe, expect, test } from 'vitest';
import { judgePoll, judgeSend, serviceRefused } from '../../../src/bridge/poll/verdict.ts';

function head(status: number, headers = {}) {
  return { status, headers };
}

test.each([
  [200, 'done'],
  [204, 'done'],
  [304, 'done'],
  [408, 'done'],
  [300, 'final'],
  [302, 'final'],
  [400, 'final'],
  [401, 'final'],
  [403, 'final'],
  [404, 'final'],
  [405, 'final'],
  [409, 'final'],
  [410, 'final'],
  [425, 'refused'],
  [429, 'refused'],
  [500, 'refused'],
  [503, 'refused'],
])('judges %i on a poll as %s', (status, expected) => {
  expect(judgePoll(head(status), undefined)).toBe(expected);
});

test.each([
  [200, 'done'],
  [202, 'done'],
  [300, 'final'],
  [302, 'final'],
  [400, 'final'],
  [401, 'final'],
  [403, 'final'],
  [404, 'final'],
  [408, 'unsure'],
  [410, 'final'],
  [413, 'final'],
  [415, 'final'],
  [425, 'refused'],
  [429, 'refused'],
  [500, 'unsure'],
  [502, 'unsure'],
  [503, 'unsure'],
  [504, 'unsure'],
])('judges %i on a message as %s', (status, expected) => {
  expect(judgeSend(head(status), undefined)).toBe(expected);
});

test('takes a 503 with Retry-After for what it says: not acted on', () => {
  expect(judgeSend(head(503, { 'retry-after': '1' }), undefined)).toBe('refused');
});

test.each([408, 429, 503])('takes a %i that has a close code for the end', (status) => {
  expect(judgePoll(head(status), { [status]: 4000 })).toBe('final');
  expect(judgeSend(head(status), { [status]: 4000 })).toBe('final');
});

describe('a status that ends the session', () => {
  test.each([
    [302, 1014],
    [400, 1014],
    [401, 3000],
    [403, 3003],
    [404, 1014],
    [410, 1014],
    [413, 1009],
    [415, 1003],
    [500, 1014],
  ])('%i is %i', (status, close) => {
    expect(serviceRefused(head(status), 'a poll', undefined)).toMatchObject({
      code: 'SERVICE_REFUSED',
      close,
      source: 'upstream',
      message: `The service answered ${status} to a poll.`,
    });
  });

  test('is what the configuration says', () => {
    expect(serviceRefused(head(403), 'a message', { 403: 4403 })).toMatchObject({
      close: 4403,
      message: 'The service answered 403 to a message.',
    });
  });
});
