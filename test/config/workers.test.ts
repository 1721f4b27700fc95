import { describe, expect, test } from 'vitest';
import { parseConfig } from '../../src/config/load.ts';
import { problemOf, sampleConfig, warningsOf } from '../support/config.ts';

const with_ = (workers: string, upstream = '') =>
  sampleConfig({ top: `workers: ${workers}` }).replace('websocket: ws://127.0.0.1:3000', upstream || '$&');

test.each([
  ['auto', 'auto'],
  ['1', 1],
  ['256', 256],
])('workers: %s', (text, value) => {
  expect(parseConfig(with_(text)).config.workers).toBe(value);
  expect(warningsOf(with_(text))).toEqual([]);
});

test.each([
  ['0', 'workers: 0 is less than 1'],
  ['257', 'workers: 257 is more than 256'],
  ['many', 'workers: "many" does not fit; expected auto, or a whole number up to 256'],
])('workers: %s is refused', (text, problem) => {
  expect(problemOf(with_(text))).toContain(problem);
});

describe('what waits for a client that comes back', () => {
  const WAITING = [
    ['resume', 'tcp: "127.0.0.1:22", resume: 30s'],
    [
      'linger',
      'poll: { target: "http://127.0.0.1:3000", poll: { path: /a }, linger: { for: 30s, token: query:resume } }',
    ],
  ] as const;

  test.each(WAITING)('does not go with workers: %s', (key, upstream) => {
    const problem = problemOf(with_('auto', upstream));
    expect(problem).toMatch(new RegExp(`${key}: does not go with workers: a client that comes back`));
  });

  test.each(WAITING)('goes with one: %s', (_key, upstream) => {
    expect(parseConfig(with_('1', upstream)).config.workers).toBe(1);
  });
});
