import { describe, expect, test } from 'vitest';
import { createBackoff, retryAfterMs } from '../../../src/bridge/poll/backoff.ts';

/** A clock that moves by sleeping only, and writes down how long. */
function fakeClock(random = 1) {
  const slept: number[] = [];
  let now = 0;
  return {
    slept,
    now: () => now,
    random: () => random,
    async sleep(ms: number) {
      slept.push(ms);
      now += ms;
    },
  };
}

const { signal } = new AbortController();
const cause = new Error('down');

describe('lose', () => {
  test('waits in steps that double to half a minute', async () => {
    const clock = fakeClock();
    const backoff = createBackoff(undefined, clock);
    for (let i = 0; i < 10; i++) await backoff.lose({ cause }, signal);
    expect(clock.slept).toEqual([250, 500, 1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000]);
  });

  test('waits a random part of the step', async () => {
    const clock = fakeClock(0.5);
    await createBackoff(undefined, clock).lose({ cause }, signal);
    expect(clock.slept).toEqual([125]);
  });

  test('waits as long as Retry-After asks', async () => {
    const clock = fakeClock();
    await createBackoff(undefined, clock).lose({ cause, retryAfter: '7' }, signal);
    expect(clock.slept).toEqual([7000]);
  });

  test('gives up when nothing has worked for the whole outage, with a last try at its end', async () => {
    const clock = fakeClock();
    const backoff = createBackoff(1000, clock);
    await backoff.lose({ cause }, signal);
    await backoff.lose({ cause }, signal);
    await backoff.lose({ cause, retryAfter: '3600' }, signal);
    expect(clock.slept).toEqual([250, 500, 250]);
    await expect(backoff.lose({ cause }, signal)).rejects.toMatchObject({ code: 'UPSTREAM_OUTAGE', cause });
  });

  test('begins anew after a success', async () => {
    const clock = fakeClock();
    const backoff = createBackoff(600, clock);
    for (let i = 0; i < 5; i++) {
      await backoff.lose({ cause }, signal);
      backoff.restore();
    }
    expect(clock.slept).toEqual([250, 250, 250, 250, 250]);
  });

  test('rejects at once when the session is over', async () => {
    const over = AbortSignal.abort();
    await expect(createBackoff().lose({ cause }, over)).rejects.toThrow();
  });
});

describe('idle', () => {
  test('slows down for a service that answers at once with nothing, to five seconds', async () => {
    const clock = fakeClock();
    const backoff = createBackoff(1000, clock);
    for (let i = 0; i < 7; i++) await backoff.idle(3, signal);
    expect(clock.slept).toEqual([250, 500, 1000, 2000, 4000, 5000, 5000]);
  });

  test('does not wait after an answer that was held', async () => {
    const clock = fakeClock();
    const backoff = createBackoff(1000, clock);
    await backoff.idle(3, signal);
    await backoff.idle(50, signal);
    await backoff.idle(3, signal);
    expect(clock.slept).toEqual([250, 250]);
  });

  test('ends an outage', async () => {
    const clock = fakeClock();
    const backoff = createBackoff(300, clock);
    for (let i = 0; i < 4; i++) {
      await backoff.lose({ cause }, signal);
      await backoff.idle(1000, signal);
    }
    expect(clock.slept).toEqual([250, 250, 250, 250]);
  });
});

describe('retryAfterMs', () => {
  const now = Date.parse('2030-01-01T00:00:00Z');
  test.each([
    [undefined, 0],
    ['0', 0],
    ['120', 120_000],
    ['86400', 300_000],
    ['Tue, 01 Jan 2030 00:00:30 GMT', 30_000],
    ['Mon, 31 Dec 2029 23:00:00 GMT', 0],
    ['soon', 0],
    ['-5', 0],
  ])('reads %s as %i ms', (field, expected) => {
    expect(retryAfterMs(field, now)).toBe(expected);
  });
});
