import { describe, expect, test } from 'vitest';
import type { Grant } from '../../src/admission/grant.ts';
import { release } from '../../src/admission/index.ts';
import type { LimitsConfig } from '../../src/config/schema.ts';
import { createMeters, type Meter } from '../../src/session/meter.ts';
import type { Clock } from '../../src/store/buckets.ts';
import { createMemoryStore } from '../../src/store/memory.ts';
import { grantOf, plainOf } from '../support/handshakes.ts';
import { outcomesOf } from '../support/limits.ts';

type Limits = Pick<LimitsConfig, 'messages' | 'bytes'>;

/** A clock a test moves by hand, in milliseconds. */
function handClock() {
  const clock = { ms: 1_000_000, now: () => clock.ms };
  return clock;
}

/** The meters of a route with these limits, by subject, in a store of their own; and what the limits did. */
function metersOf(limits: Limits, now?: Clock) {
  const { observer, outcomes } = outcomesOf();
  const deps = { store: createMemoryStore({ now }), now, limits: observer };
  const meters = createMeters({ name: 'chat', limits }, deps);
  const meterOf = (subject: string, grant: Grant = grantOf({ subject })): Meter => meters(plainOf(), grant);
  return { meterOf, outcomes };
}

const perSecond = (count: number) => ({ count, perMs: 1000 });
const limited = expect.objectContaining({ code: 'RATE_LIMITED' });

test('without limits everything passes', () => {
  const meter = metersOf({}).meterOf('alice');
  expect([meter.admitMessage(), meter.admitBytes(1e9)]).toEqual([0, 0]);
});

describe('messages', () => {
  const throttled = { rate: perSecond(10), burst: 3, per: 'connection', over: 'throttle' } as const;

  test('beyond the burst wait for their turn', () => {
    const clock = handClock();
    const { meterOf, outcomes } = metersOf({ messages: [throttled] }, clock.now);
    const meter = meterOf('alice');
    expect(Array.from({ length: 5 }, () => meter.admitMessage())).toEqual([0, 0, 0, 100, 100]);
    clock.ms += 100;
    expect([meter.admitMessage(), meter.admitMessage()]).toEqual([0, 100]);
    expect(outcomes).toEqual({ 'chat messages connection throttled': 2 });
  });

  test('beyond it end the connection where the limit says so', () => {
    const { meterOf, outcomes } = metersOf({ messages: [{ ...throttled, over: 'close' }] }, handClock().now);
    const meter = meterOf('alice');
    for (let i = 0; i < 3; i++) expect(meter.admitMessage()).toBe(0);
    expect(outcomes).toEqual({ 'chat messages connection closed': 0 });
    expect(() => meter.admitMessage()).toThrow(
      expect.objectContaining({
        code: 'RATE_LIMITED',
        message: 'Too many messages per connection; slow down.',
        detail: 'messages per connection',
      }),
    );
    expect(outcomes).toEqual({ 'chat messages connection closed': 1 });
  });

  test('of connections counted together share one burst, of others they do not', () => {
    const { meterOf } = metersOf({ messages: [{ ...throttled, per: 'subject' }] }, handClock().now);
    const [one, two, other] = [meterOf('alice'), meterOf('alice'), meterOf('bob')];
    expect([one.admitMessage(), two.admitMessage(), one.admitMessage(), two.admitMessage()]).toEqual([
      0, 0, 0, 100,
    ]);
    expect(other.admitMessage()).toBe(0);
  });

  test('that wait have their turns in the order in which they began to', () => {
    const clock = handClock();
    const { meterOf } = metersOf({ messages: [{ ...throttled, burst: 1, per: 'subject' }] }, clock.now);
    const [one, two, three] = [meterOf('alice'), meterOf('alice'), meterOf('alice')];
    expect([one, one, two, three].map((meter) => meter.admitMessage())).toEqual([0, 100, 200, 300]);
    clock.ms += 200;
    // The first one passes late, and asks for more before the second one has passed.
    expect([one, one, two, three].map((meter) => meter.admitMessage())).toEqual([0, 200, 0, 100]);
  });

  test('of a connection that ends leave their turns to others', () => {
    const { meterOf } = metersOf({ messages: [{ ...throttled, burst: 1, per: 'route' }] }, handClock().now);
    expect(meterOf('alice').admitMessage()).toBe(0);
    for (let i = 0; i < 100; i++) {
      const grant = grantOf();
      expect(meterOf('alice', grant).admitMessage()).toBe(100);
      release(grant);
    }
    expect(meterOf('alice').admitMessage()).toBe(100);
  });

  test('meet each limit of a list once, and wait for the last of them', () => {
    const clock = handClock();
    const { meterOf, outcomes } = metersOf(
      {
        messages: [
          { rate: perSecond(10), burst: 1, per: 'connection', over: 'throttle' },
          { rate: perSecond(5), burst: 2, per: 'route', over: 'throttle' },
          { rate: { count: 4, perMs: 3_600_000 }, per: 'subject', over: 'close' },
        ],
      },
      clock.now,
    );
    const [alice, bob] = [meterOf('alice'), meterOf('bob')];
    expect([alice, bob].map((meter) => meter.admitMessage())).toEqual([0, 0]);
    expect([alice, bob].map((meter) => meter.admitMessage())).toEqual([200, 400]);
    clock.ms += 400;
    expect([alice, bob].map((meter) => meter.admitMessage())).toEqual([0, 0]);
    expect(alice.admitMessage()).toBe(200);
    clock.ms += 200;
    expect([alice.admitMessage(), alice.admitMessage()]).toEqual([0, 200]);
    clock.ms += 200;
    expect(alice.admitMessage()).toBe(0);
    expect(() => alice.admitMessage()).toThrow(limited);
    // What a limit refuses is owed to no other.
    expect(bob.admitMessage()).toBe(200);
    expect(outcomes).toEqual({
      'chat messages connection throttled': 0,
      'chat messages route throttled': 5,
      'chat messages subject closed': 1,
    });
  });
});

test('messages are counted on when a route is compiled again, each route for itself', () => {
  const store = createMemoryStore({ now: () => 0 });
  const limits = {
    messages: [{ rate: perSecond(1), burst: 2, per: 'subject', over: 'throttle' }],
    bytes: [{ rate: perSecond(2), per: 'subject', over: 'throttle' }],
  } satisfies Limits;
  const meterOf = (name: string) =>
    createMeters({ name, limits }, { store, now: () => 0 })(plainOf(), grantOf({ subject: 'alice' }));
  const [before, after, other] = [meterOf('chat'), meterOf('chat'), meterOf('other')];
  expect([before.admitMessage(), before.admitMessage(), before.admitBytes(2)]).toEqual([0, 0, 0]);
  expect([after.admitMessage(), after.admitBytes(1)]).toEqual([1_000, 500]);
  expect([other.admitMessage(), other.admitBytes(1)]).toEqual([0, 0]);
});

describe('bytes', () => {
  const limit = { rate: perSecond(1000), per: 'connection', over: 'throttle' } as const;

  test('that have come already are waited for afterwards', () => {
    const clock = handClock();
    const { meterOf, outcomes } = metersOf({ bytes: [limit] }, clock.now);
    const meter = meterOf('alice');
    expect(meter.admitBytes(1000)).toBe(0);
    expect(meter.admitBytes(500)).toBe(500);
    clock.ms += 499;
    expect(meter.admitBytes(0)).toBe(1);
    expect(outcomes).toEqual({ 'chat bytes connection throttled': 1 });
    clock.ms += 1;
    expect([meter.admitBytes(0), meter.admitBytes(1)]).toEqual([0, 1]);
  });

  test('of others are not waited for a second time', () => {
    const clock = handClock();
    const { meterOf } = metersOf({ bytes: [{ ...limit, per: 'subject' }] }, clock.now);
    const [one, other] = [meterOf('alice'), meterOf('alice')];
    expect([one.admitBytes(1500), other.admitBytes(1000)]).toEqual([500, 1500]);
    clock.ms += 500;
    expect([one.admitBytes(0), other.admitBytes(0)]).toEqual([0, 1000]);
  });

  test('are never waited for longer than a timer holds', () => {
    const clock = handClock();
    const { meterOf } = metersOf({ bytes: [{ ...limit, rate: { count: 1, perMs: 3_600_000 } }] }, clock.now);
    const meter = meterOf('alice');
    expect(meter.admitBytes(65_536)).toBe(2 ** 31 - 1);
    clock.ms += 2 ** 31 - 1;
    expect(meter.admitBytes(0)).toBe(2 ** 31 - 1);
  });

  test('beyond the rate end the connection where the limit says so', () => {
    const meter = metersOf({ bytes: [{ ...limit, over: 'close' }] }, handClock().now).meterOf('alice');
    expect(() => meter.admitBytes(1001)).toThrow(
      expect.objectContaining({ message: 'Too many bytes per connection; slow down.' }),
    );
  });
});

describe('one connection against 50 busy ones that share its key', () => {
  const BUSY = 50;
  const SECONDS = 100;

  /** Milliseconds until it asks again; `pass` is called when something has passed. */
  type Ask = (meter: Meter, pass: () => void) => number;

  /** Moves on to whoever waits least, busy ones first where several do; returns how often each has passed. */
  function race(ask: Ask, limits: Limits): number[] {
    const clock = handClock();
    const { meterOf } = metersOf(limits, clock.now);
    const runners = Array.from({ length: BUSY + 1 }, () => ({
      meter: meterOf('all'),
      passed: 0,
      at: clock.ms,
    }));
    const end = clock.ms + SECONDS * 1000;
    while (clock.ms < end) {
      const next = runners.reduce((first, runner) => (runner.at < first.at ? runner : first));
      clock.ms = Math.max(clock.ms, next.at);
      next.at = clock.ms + ask(next.meter, () => next.passed++);
    }
    return runners.map(({ passed }) => passed);
  }

  /** `ahead`: what the first one finds in the bucket. */
  const fair = (passed: readonly number[], ahead: number) => {
    const [least, most] = [Math.min(...passed), Math.max(...passed)];
    expect(least).toBeGreaterThan(SECONDS / 2);
    expect(most - least).toBeLessThanOrEqual(ahead + 1);
  };

  test('sends as many messages as they', () => {
    const messages = [{ rate: perSecond(51), burst: 1, per: 'route', over: 'throttle' } as const];
    const ask: Ask = (meter, pass) => {
      const wait = meter.admitMessage();
      // Whoever has passed asks again at once.
      if (wait === 0) pass();
      return wait;
    };
    fair(race(ask, { messages }), 1);
  });

  test('has as many turns to send bytes as they', () => {
    const bytes = [{ rate: perSecond(51_000), per: 'route', over: 'throttle' } as const];
    // As a source does: it asks whether it may go on, then reads and says how much that was.
    const ask: Ask = (meter, pass) => {
      const wait = meter.admitBytes(0);
      if (wait > 0) return wait;
      pass();
      return meter.admitBytes(1000);
    };
    fair(race(ask, { bytes }), 51);
  });
});
