import { expect, test } from 'vitest';
import { digits, figure } from '../../../bench/report/metrics.ts';

test.each([
  [0, '0.00'],
  [0.0833, '0.083'],
  [0.82, '0.82'],
  [9.994, '9.99'],
  [9.996, '10.0'],
  [99.94, '99.9'],
  [99.96, '100'],
  [54321.4, '54,321'],
])('writes %d as %s', (value, words) => {
  expect(digits(value)).toBe(words);
});

test('writes a share as per cent, and nothing as a dash', () => {
  expect(figure('busy', 0.974)).toBe('97 %');
  expect(figure('cpuUs', undefined)).toBe('–');
});
