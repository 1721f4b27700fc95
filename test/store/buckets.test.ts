import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BucketTable, TokenBucket } from '../../src/store/buckets.ts';

const tenPerSecond = { count: 10, perMs: 1000 };

function fakeClock(start = 1_000_000) {
  const clock = { ms: start, now: () => clock.ms };
  return clock;
}

describe('a token bucket', () => {
  test('starts full, and gives its burst at once', () => {
    const clock = fakeClock();
    const bucket = new TokenBucket(tenPerSecond, 3, clock.now);
    expect([bucket.take(), bucket.take(), bucket.take()]).toEqual([0, 0, 0]);
    expect(bucket.remaining).toBe(0);
  });

  test('says how long until the next token, and has it then', () => {
    const clock = fakeClock();
    const bucket = new TokenBucket(tenPerSecond, 3, clock.now);
    bucket.take(3);
    clock.ms += 30;
    expect(bucket.take()).toBe(70);
    clock.ms += 69;
    expect(bucket.take()).toBe(1);
    clock.ms += 1;
    expect(bucket.take()).toBe(0);
  });

  test('takes nothing when it refuses', () => {
    const clock = fakeClock();
    const bucket = new TokenBucket(tenPerSecond, 3, clock.now);
    bucket.take(2);
    for (let i = 0; i < 100; i += 1) expect(bucket.take(2)).toBe(100);
    expect(bucket.take()).toBe(0);
  });

  test('never has more than its burst, however long it rests', () => {
    const clock = fakeClock();
    const bucket = new TokenBucket(tenPerSecond, 3, clock.now);
    bucket.take(3);
    clock.ms += 3_600_000;
    expect(bucket.remaining).toBe(3);
    expect(bucket.take(3)).toBe(0);
    expect(bucket.take()).toBe(100);
  });

  test('can never give more than its burst at once', () => {
    const bucket = new TokenBucket(tenPerSecond, 3, fakeClock().now);
    expect(bucket.take(4)).toBe(Infinity);
    expect(bucket.remaining).toBe(3);
  });

  test('goes into debt when debited, and says when it will be out of it', () => {
    const clock = fakeClock();
    const bucket = new TokenBucket(tenPerSecond, 3, clock.now);
    expect(bucket.debit(3)).toBe(0);
    expect(bucket.debit(5)).toBe(500);
    expect(bucket.remaining).toBe(0);
    clock.ms += 499;
    expect(bucket.debit(0)).toBe(1);
    clock.ms += 1;
    expect(bucket.debit(0)).toBe(0);
    expect(bucket.take()).toBe(100);
  });

  test('takes back what was taken for nothing, and never more than its burst', () => {
    const clock = fakeClock();
    const bucket = new TokenBucket(tenPerSecond, 3, clock.now);
    bucket.debit(5);
    bucket.giveBack(1);
    expect(bucket.debit(0)).toBe(100);
    bucket.giveBack(100);
    expect([bucket.remaining, bucket.take(3), bucket.take()]).toEqual([3, 0, 100]);
  });

  test('counts real time when it is given no clock', () => {
    const bucket = new TokenBucket({ count: 1, perMs: 3_600_000 }, 1);
    expect(bucket.take()).toBe(0);
    expect(bucket.take()).toBeGreaterThan(3_500_000);
  });

  const rates = fc.record({
    count: fc.integer({ min: 1, max: 5_000_000 }),
    perMs: fc.constantFrom(1000, 60_000, 3_600_000),
  });
  const steps = fc.array(fc.tuple(fc.integer({ min: 0, max: 2_000 }), fc.integer({ min: 1, max: 50 })), {
    maxLength: 200,
  });

  test('gives its whole burst one by one, at any rate and any time', () => {
    const burst = fc.integer({ min: 1, max: 300 });
    fc.assert(
      fc.property(rates, burst, fc.integer({ min: 0, max: 2 ** 36 }), (rate, burst, start) => {
        const bucket = new TokenBucket(rate, burst, () => start / 7);
        for (let i = 0; i < burst; i += 1) expect(bucket.take()).toBe(0);
        expect(bucket.remaining).toBe(0);
      }),
    );
  });

  test('never gives more than burst + rate × time over any window', () => {
    const burst = fc.integer({ min: 1, max: 100 });
    fc.assert(
      fc.property(rates, burst, steps, (rate, burst, steps) => {
        const clock = fakeClock();
        const bucket = new TokenBucket(rate, burst, clock.now);
        const taken: { at: number; n: number }[] = [];
        for (const [pause, n] of steps) {
          clock.ms += pause;
          if (bucket.take(n) === 0) taken.push({ at: clock.ms, n });
        }
        for (const [first, { at: start }] of taken.entries()) {
          let sum = 0;
          for (const { at, n } of taken.slice(first)) {
            sum += n;
            const allowed = burst + ((at - start) * rate.count) / rate.perMs;
            expect(sum).toBeLessThanOrEqual(allowed + 1e-5);
          }
        }
      }),
    );
  });

  test('gives what it refused once the time it named is over', () => {
    const burst = fc.integer({ min: 50, max: 100 });
    fc.assert(
      fc.property(rates, burst, steps, (rate, burst, steps) => {
        const clock = fakeClock();
        const bucket = new TokenBucket(rate, burst, clock.now);
        for (const [pause, n] of steps) {
          clock.ms += pause;
          const wait = bucket.take(n);
          if (wait === 0) continue;
          clock.ms += wait;
          expect(bucket.take(n)).toBe(0);
        }
      }),
    );
  });
});

describe('a table of buckets', () => {
  test('has one bucket per key', () => {
    const table = new BucketTable(tenPerSecond, 1, { now: fakeClock().now });
    expect(table.bucket('a').take()).toBe(0);
    expect(table.bucket('a').take()).toBe(100);
    expect(table.bucket('b').take()).toBe(0);
  });

  test('never holds more than its maximum', () => {
    const table = new BucketTable(tenPerSecond, 1, { maxKeys: 100, now: fakeClock().now });
    let largest = 0;
    for (let key = 0; key < 10_000; key += 1) {
      table.bucket(`key ${key}`).take();
      largest = Math.max(largest, table.size);
    }
    expect(largest).toBe(100);
  });

  test('forgets the keys not asked for longest', () => {
    const table = new BucketTable(tenPerSecond, 1, { maxKeys: 100, now: fakeClock().now });
    for (let key = 0; key < 101; key += 1) {
      table.bucket(`key ${key}`).take();
      table.bucket('busy');
    }
    table.bucket('busy').take();
    expect(table.bucket('key 60').take()).toBe(100);
    expect(table.bucket('key 0').take()).toBe(0);
    expect(table.bucket('busy').take()).toBe(100);
  });
});
