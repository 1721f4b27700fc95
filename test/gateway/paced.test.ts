import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { paced } from '../../src/gateway/paced.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'setImmediate', 'performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

/** An act that takes so long, how often it came, and what asks for it. */
function actOf(ms: number) {
  let count = 0;
  let busy = 0;
  const ask = paced(
    () => {
      count += 1;
      busy += ms;
    },
    () => performance.now() + busy,
  );
  return { ask, count: () => count };
}

test('it comes once for all who ask in a turn, and again for who asks later', () => {
  const { ask, count } = actOf(0);
  for (let index = 0; index < 10; index++) ask();
  expect(count()).toBe(0);
  vi.advanceTimersByTime(0);
  expect(count()).toBe(1);
  ask();
  vi.advanceTimersByTime(0);
  expect(count()).toBe(2);
});

test.each([
  [100, 400],
  [10_000, 500],
])('where it takes %i ms, it rests for %i', (takes, rest) => {
  const { ask, count } = actOf(takes);
  ask();
  vi.advanceTimersByTime(0);
  ask();
  vi.advanceTimersByTime(rest - 1);
  expect(count()).toBe(1);
  vi.advanceTimersByTime(1);
  expect(count()).toBe(2);
});
