import { afterAll, vi } from 'vitest';

/** Runs before every test file: the next one in this process finds the real clock, whatever this one leaves behind. */
afterAll(() => {
  vi.useRealTimers();
});
