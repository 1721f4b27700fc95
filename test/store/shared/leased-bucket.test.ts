import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Rate } from '../../../src/config/units.ts';
import { LeasedBucket } from '../../../src/store/shared/leased-bucket.ts';
import { LocalAuthority } from '../../../src/store/shared/local-authority.ts';

const tenPerSecond = { count: 10, perMs: 1000 };

/** One bucket where it is kept, a clock that a test moves, and buckets that lease from it: each answer takes `latencyMs`. */
function lending(rate: Rate, burst: number, latencyMs = 1) {
  const clock = { ms: 1_000_000 };
  const now = () => clock.ms;
  const keeper = new LocalAuthority(now).for('all of them');
  const rule = { name: 'rule', rate, burst };
  const answers: { at: number; give: () => void }[] = [];
  let questions = 0;

  function answer<T>(asked: Promise<T>): Promise<T> {
    questions += 1;
    return new Promise((resolve) => {
      answers.push({ at: clock.ms + latencyMs, give: () => resolve(asked) });
    });
  }

  return {
    clock,
    get questions() {
      return questions;
    },
    lease: () =>
      new LeasedBucket(
        {
          rate,
          burst,
          take: (n) => answer(keeper.take(rule, '', n)),
          debit: (n) => answer(keeper.debit(rule, '', n)),
        },
        now,
      ),
    /** Lets time pass, and what is due by then be answered. */
    async pass(ms: number): Promise<void> {
      clock.ms += ms;
      for (const { give } of answers.splice(0, answers.findLastIndex(({ at }) => at <= clock.ms) + 1)) give();
      for (let turn = 0; turn < 12; turn++) await Promise.resolve();
    },
  };
}

describe('what is owed', () => {
  test('is not known until it was asked for, and is there when it is', async () => {
    const { lease, pass, clock } = lending(tenPerSecond, 3);
    const bucket = lease();
    expect(bucket.debit(1, clock.ms)).toBeLessThan(0);
    await pass(2);
    expect(bucket.msUntil(1, clock.ms)).toBe(0);
  });

  test('beyond what all have together is waited for as long as it takes there', async () => {
    const { lease, pass, clock } = lending(tenPerSecond, 3);
    const [one, two] = [lease(), lease()];
    for (let i = 0; i < 2; i++) one.debit(1, clock.ms);
    two.debit(2, clock.ms);
    await pass(1);
    await pass(1);
    expect([one.msUntil(1, clock.ms), one.msUntil(2, clock.ms)]).toEqual([0, 99]);
    expect([two.msUntil(1, clock.ms), two.msUntil(2, clock.ms)]).toEqual([0, 0]);
    await pass(100);
    expect(one.msUntil(2, clock.ms)).toBe(0);
  });

  test('has turns: who came first passes first, and who gives up lets the others move up', async () => {
    const { lease, pass, clock } = lending(tenPerSecond, 1);
    const bucket = lease();
    const turns = [1, 2, 3].map(() => {
      bucket.debit(1, clock.ms);
      return bucket.taken;
    });
    await pass(1);
    await pass(1);
    expect(turns.map((turn) => bucket.msUntil(turn, clock.ms))).toEqual([0, 99, 199]);
    bucket.giveBack(1);
    expect(bucket.msUntil(3, clock.ms)).toBe(99);
  });

  test('of a bucket that was forgotten meanwhile is there', async () => {
    const { lease, clock } = lending(tenPerSecond, 1);
    expect(lease().msUntil(17, clock.ms)).toBe(0);
  });
});

describe('what is taken if it is there', () => {
  test('is not known until it was asked for, and then asked for again', async () => {
    const { lease, pass, clock } = lending(tenPerSecond, 2);
    const bucket = lease();
    expect(bucket.take(1, clock.ms)).toBeLessThan(0);
    await pass(2);
    expect(bucket.take(1, clock.ms)).toBe(0);
  });

  test('is refused where the others have taken it, for as long as it is known not to be there', async () => {
    const { lease, pass, clock } = lending(tenPerSecond, 1);
    const [one, two] = [lease(), lease()];
    one.take(1, clock.ms);
    two.take(1, clock.ms);
    await pass(1);
    expect(one.take(1, clock.ms)).toBe(0);
    expect(two.take(1, clock.ms)).toBe(100);
    await pass(40);
    expect(two.take(1, clock.ms)).toBe(60);
    await pass(60);
    expect(two.take(1, clock.ms)).toBeLessThan(0);
    await pass(1);
    expect(two.take(1, clock.ms)).toBe(0);
  });

  test('can never be more than the burst', () => {
    const { lease, clock } = lending(tenPerSecond, 1);
    expect(lease().take(2, clock.ms)).toBe(Infinity);
  });
});

const thousandPerSecond = { count: 1000, perMs: 1000 };

test('a busy bucket has what it needs at hand: it asks once for many', async () => {
  const lending_ = lending(thousandPerSecond, 1000);
  const bucket = lending_.lease();
  bucket.debit(1, lending_.clock.ms);
  await lending_.pass(1);
  let waited = 0;
  for (let message = 0; message < 500; message++) {
    if (bucket.debit(1, lending_.clock.ms) !== 0) waited += 1;
    await lending_.pass(1);
  }
  expect(waited).toBe(0);
  expect(lending_.questions).toBeLessThan(60);
});

test('what was fetched ahead and has lain for a second is not used any more', async () => {
  const { lease, pass, clock } = lending(thousandPerSecond, 1000);
  const bucket = lease();
  bucket.debit(1, clock.ms);
  await pass(1);
  expect(bucket.debit(1, clock.ms)).toBe(0);
  await pass(1_001);
  expect(bucket.debit(1, clock.ms)).toBeLessThan(0);
});

test('all together never get more than the bucket has, and nearly all of it if they want it', async () => {
  const rates = fc.record({ count: fc.integer({ min: 20, max: 2_000 }), perMs: fc.constant(1000) });
  const holders = fc.integer({ min: 1, max: 4 });
  const property = fc.asyncProperty(
    rates,
    holders,
    fc.integer({ min: 1, max: 5 }),
    async (rate, count, latency) => {
      const burst = rate.count;
      const { lease, pass, clock } = lending(rate, burst, latency);
      const buckets = Array.from({ length: count }, lease);
      // Each holder has three connections; each of them has a message at any time.
      const waiting = buckets.flatMap((bucket) =>
        Array.from({ length: 3 }, () => ({ bucket, turn: 0, due: 0 })),
      );
      const start = clock.ms;
      let passed = 0;
      while (clock.ms - start < 2_000) {
        for (const each of waiting) {
          const { bucket } = each;
          for (let burstOf = 0; burstOf < 100 && each.due <= clock.ms; burstOf++) {
            const wait = each.turn === 0 ? bucket.debit(1, clock.ms) : bucket.msUntil(each.turn, clock.ms);
            if (each.turn === 0) each.turn = bucket.taken;
            if (wait === 0) {
              passed += 1;
              each.turn = 0;
            } else each.due = clock.ms + Math.abs(wait);
          }
        }
        expect(passed).toBeLessThanOrEqual(burst + ((clock.ms - start) * rate.count) / 1000 + 1);
        await pass(1);
      }
      const limit = burst + 2 * rate.count;
      expect(passed).toBeGreaterThanOrEqual(0.95 * limit - 4);
    },
  );
  await fc.assert(property, { numRuns: 15 });
});
