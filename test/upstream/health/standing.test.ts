import { describe, expect, test } from 'vitest';
import { Standing } from '../../../src/upstream/health/standing.ts';

/** In the middle of the jitter. */
const standing = () => new Standing(() => 0.5);

describe('dials', () => {
  test('that fail take it out for 1 s, then for twice as long each time, up to 30 s', () => {
    const one = standing();
    const out: number[] = [];
    let now = 0;
    for (let round = 0; round < 7; round++) {
      one.begin(now);
      one.fail(now);
      const since = now;
      while (one.state(now) === 'out') now += 100;
      out.push(now - since);
    }
    expect(out).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
  });

  test.each([
    [0, 750],
    [0.999, 1_250],
  ])('with the dice at %f keep it out for about %i ms', (dice, ms) => {
    const one = new Standing(() => dice);
    one.fail(0);
    expect([one.state(ms - 2), one.state(ms + 2)]).toEqual(['out', 'due']);
  });

  test('that fail together are one failure', () => {
    const one = standing();
    for (let dial = 0; dial < 50; dial++) one.fail(10);
    expect([one.state(1_009), one.state(1_010)]).toEqual(['out', 'due']);
    one.fail(1_010);
    expect([one.state(3_009), one.state(3_010)]).toEqual(['out', 'due']);
  });

  test('probe it one at a time', () => {
    const one = standing();
    one.fail(0);
    one.begin(1_000);
    expect(one.state(1_000)).toBe('out');
    one.leave();
    expect(one.state(1_000)).toBe('due');
  });

  test('that work let it back, and the next failure counts from the beginning', () => {
    const one = standing();
    one.fail(0);
    one.fail(1_000);
    one.succeed(4_000);
    expect(one.state(4_000)).toBe('well');
    one.fail(5_000);
    expect([one.state(5_999), one.state(6_000)]).toEqual(['out', 'due']);
  });
});

describe('the slow start', () => {
  test.each([
    [0, 0.1],
    [500, 0.1],
    [5_000, 0.5],
    [10_000, 1],
    [60_000, 1],
  ])('%i ms after its return gives it %f of its weight', (passed, share) => {
    const one = standing();
    expect(one.ramp(0)).toBe(1);
    one.fail(0);
    one.succeed(20_000);
    expect(one.ramp(20_000 + passed)).toBeCloseTo(share);
    const other = standing();
    other.join(20_000);
    expect(other.ramp(20_000 + passed)).toBeCloseTo(share);
  });

  test('is not for one that has been there all the time', () => {
    const one = standing();
    one.succeed(5_000);
    expect(one.ramp(5_000)).toBe(1);
  });
});

describe('checks', () => {
  test('take it out after so many failures in a row, and one success lets it back slowly', () => {
    const one = standing();
    one.failCheck(2);
    one.passCheck(0);
    one.failCheck(2);
    expect(one.state(0)).toBe('well');
    one.failCheck(2);
    expect(one.state(1e9)).toBe('out');
    one.passCheck(20_000);
    expect([one.state(20_000), one.ramp(20_000)]).toEqual(['well', 0.1]);
  });

  test('that succeed bring the probe forward, and do not stand in for it', () => {
    const one = standing();
    one.fail(0);
    one.passCheck(10);
    expect(one.state(10)).toBe('due');
    one.fail(10);
    expect([one.state(2_009), one.state(2_010)]).toEqual(['out', 'due']);
  });
});

describe('who listens is told', () => {
  function followed() {
    const told: unknown[] = [];
    return {
      told,
      one: new Standing(
        () => 0.5,
        (outage) => told.push(outage ?? 'back'),
      ),
    };
  }

  test('of the first failure and of the return, and of nothing in between', () => {
    const { told, one } = followed();
    one.succeed(0);
    one.fail(0, 'UPSTREAM_REFUSED');
    one.fail(1, 'UPSTREAM_REFUSED');
    one.begin(1_000);
    one.leave();
    one.fail(1_001, 'UPSTREAM_TIMEOUT');
    expect(told).toEqual([{ by: 'dial', cause: 'UPSTREAM_REFUSED' }]);
    one.succeed(5_000);
    one.succeed(5_001);
    expect(told).toEqual([{ by: 'dial', cause: 'UPSTREAM_REFUSED' }, 'back']);
  });

  test('of checks, once they were too many', () => {
    const { told, one } = followed();
    const cause = new Error('it answered 503');
    for (let check = 0; check < 5; check += 1) one.failCheck(3, cause);
    expect(told).toEqual([{ by: 'check', cause }]);
    one.passCheck(0);
    one.passCheck(1);
    expect(told).toEqual([{ by: 'check', cause }, 'back']);
  });

  test('that it is back only when neither dials nor checks say otherwise', () => {
    const { told, one } = followed();
    one.fail(0, 'UPSTREAM_LOST');
    one.failCheck(1, new Error());
    one.succeed(1);
    expect(told).toEqual([{ by: 'dial', cause: 'UPSTREAM_LOST' }]);
    one.passCheck(2);
    expect(told).toEqual([{ by: 'dial', cause: 'UPSTREAM_LOST' }, 'back']);
  });
});
