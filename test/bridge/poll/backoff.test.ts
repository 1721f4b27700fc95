import { describe, expect, test } from 'vitest';
import { Backoff, retryAfterMs } from '../../../src/bridge/poll/backoff.ts';

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
    const backoff = new Backoff({ clock });
    for (let i = 0; i < 10; i++) await backoff.lose({ cause }, signal);
    expect(clock.slept).toEqual([250, 500, 1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000]);
  });

  test('waits a random part of the step', async () => {
    const clock = fakeClock(0.5);
    await new Backoff({ clock }).lose({ cause }, signal);
    expect(clock.slept).toEqual([125]);
  });

  test('waits as long as Retry-After asks', async () => {
    const clock = fakeClock();
    await new Backoff({ clock }).lose({ cause, retryAfter: '7' }, signal);
    expect(clock.slept).toEqual([7000]);
  });

  test('gives up when nothing has worked for the whole outage, with a last try at its end', async () => {
    const clock = fakeClock();
    const backoff = new Backoff({ outageMs: 1000, clock });
    await backoff.lose({ cause }, signal);
    await backoff.lose({ cause }, signal);
    await backoff.lose({ cause, retryAfter: '3600' }, signal);
    expect(clock.slept).toEqual([250, 500, 250]);
    await expect(backoff.lose({ cause }, signal)).rejects.toMatchObject({ code: 'UPSTREAM_OUTAGE', cause });
  });

  test('begins anew after a success', async () => {
    const clock = fakeClock();
    const backoff = new Backoff({ outageMs: 600, clock });
    for (let i = 0; i < 5; i++) {
      await backoff.lose({ cause }, signal);
      backoff.restore();
    }
    expect(clock.slept).toEqual([250, 250, 250, 250, 250]);
  });

  test('rejects at once when the session is over', async () => {
    const over = AbortSignal.abort();
    await expect(new Backoff().lose({ cause }, over)).rejects.toThrow();
  });
});

describe('idle', () => {
  const holdMs = 25_000;

  test('slows down for a service that answers at once with nothing, to a part of what it may hold', () => {
    const backoff = new Backoff({ holdMs, clock: fakeClock() });
    expect([1, 2, 3, 4, 5].map(() => backoff.idle(0))).toEqual([2000, 4000, 5000, 5000, 5000]);
  });

  test.each([
    [0, 1000],
    [0.5, 3000],
  ])('is a second at least, and at random: %d', (random, expected) => {
    const backoff = new Backoff({ holdMs, clock: fakeClock(random) });
    for (let i = 0; i < 5; i++) backoff.idle(0);
    expect(backoff.idle(0)).toBe(expected);
  });

  test('is one to two seconds behind answers that were held for some time', () => {
    const backoff = new Backoff({ holdMs, clock: fakeClock() });
    expect([0, 500, 500, 4_000].map((elapsedMs) => backoff.idle(elapsedMs))).toEqual([
      2000, 3500, 4500, 2000,
    ]);
  });

  test('is one to two seconds where a request is hardly ever held', () => {
    const backoff = new Backoff({ holdMs: 100, clock: fakeClock() });
    expect([1, 2, 3].map(() => backoff.idle(49))).toEqual([2000, 2000, 2000]);
  });

  test('is nothing after an answer that was held for half of the time, and begins anew then', () => {
    const backoff = new Backoff({ holdMs, clock: fakeClock() });
    const waits = [12_499, 12_499, 12_500, 3].map((elapsedMs) => backoff.idle(elapsedMs));
    expect(waits).toEqual([2000, 2000, 0, 2000]);
  });

  test('is a second at least behind what came at once, though a service says that it holds for less', () => {
    const backoff = new Backoff({ holdMs: 0.001, clock: fakeClock(0) });
    expect([1, 99, 100].map((elapsedMs) => backoff.idle(elapsedMs))).toEqual([1000, 1000, 0]);
  });

  test('begins anew after progress', () => {
    const backoff = new Backoff({ holdMs, clock: fakeClock() });
    backoff.idle(0);
    backoff.restore();
    expect(backoff.idle(0)).toBe(2000);
  });

  test('ends an outage', async () => {
    const clock = fakeClock();
    const backoff = new Backoff({ outageMs: 300, holdMs, clock });
    for (let i = 0; i < 4; i++) {
      await backoff.lose({ cause }, signal);
      backoff.idle(1000);
    }
    expect(clock.slept).toEqual([250, 250, 250, 250]);
  });
});

describe('wait', () => {
  test.each([
    [7000, [7000]],
    [3_600_000, [300_000]],
    [0, []],
  ])('leaves a service alone that asks for %i ms, for five minutes at most', async (ms, slept) => {
    const clock = fakeClock();
    await new Backoff({ clock }).wait(ms, signal);
    expect(clock.slept).toEqual(slept);
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
