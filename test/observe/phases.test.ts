import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { PhaseClock } from '../../src/observe/phases.ts';

beforeEach(() => void vi.useFakeTimers({ toFake: ['performance'] }));
afterEach(() => void vi.useRealTimers());

test('takes the time of each phase, up to where it stops', () => {
  const clock = new PhaseClock();
  vi.advanceTimersByTime(5);
  clock.enter('admit');
  vi.advanceTimersByTime(70);
  clock.enter('dial');
  vi.advanceTimersByTime(900);
  expect(clock.stop()).toEqual({ parse: 5, admit: 70, dial: 900 });
  vi.advanceTimersByTime(1_000);
  expect(clock.stop()).toEqual({ parse: 5, admit: 70, dial: 900 });
});

test('knows nothing of a phase that was not begun', () => {
  const clock = new PhaseClock();
  vi.advanceTimersByTime(3);
  expect(clock.stop()).toEqual({ parse: 3 });
});
