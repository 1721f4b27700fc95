import { describe, expect, test } from 'vitest';
import type { LimitsConfig } from '../../src/config/schema.ts';
import { createMeters, type KeyOf } from '../../src/session/meter.ts';
import type { Clock } from '../../src/store/buckets.ts';
import { createMemoryStore } from '../../src/store/memory.ts';

/** A clock a test moves by hand, in milliseconds. */
function handClock() {
  const clock = { ms: 1_000_000, now: () => clock.ms };
  return clock;
}

/** The meters of a route with these limits, in a store of their own. */
function metersOf(limits: Pick<LimitsConfig, 'messages' | 'bytes'>, now?: Clock) {
  return createMeters({ name: 'chat', limits }, { store: createMemoryStore({ now }), now });
}

const perSecond = (count: number) => ({ count, perMs: 1000 });
const nobody: KeyOf = () => expect.unreachable('a connection is not counted with others');

test('without limits everything passes', () => {
  const meter = metersOf({})(nobody);
  expect([meter.admitMessage(), meter.admitBytes(1e9)]).toEqual([0, 0]);
});

describe('messages', () => {
  const throttled = { rate: perSecond(10), burst: 3, per: 'connection', over: 'throttle' } as const;

  test('beyond the burst wait for their turn', () => {
    const clock = handClock();
    const meter = metersOf({ messages: throttled }, clock.now)(nobody);
    expect(Array.from({ length: 5 }, () => meter.admitMessage())).toEqual([0, 0, 0, 100, 100]);
    clock.ms += 100;
    expect([meter.admitMessage(), meter.admitMessage()]).toEqual([0, 100]);
  });

  test('beyond it end the connection where the limit says so', () => {
    const meter = metersOf({ messages: { ...throttled, over: 'close' } }, handClock().now)(nobody);
    for (let i = 0; i < 3; i++) expect(meter.admitMessage()).toBe(0);
    expect(() => meter.admitMessage()).toThrow(expect.objectContaining({ code: 'RATE_LIMITED' }));
  });

  test('of connections counted together share one burst, of others they do not', () => {
    const meters = metersOf({ messages: { ...throttled, per: 'subject' } }, handClock().now);
    const [one, two, other] = [meters(() => 'alice'), meters(() => 'alice'), meters(() => 'bob')];
    expect([one.admitMessage(), two.admitMessage(), one.admitMessage(), two.admitMessage()]).toEqual([
      0, 0, 0, 100,
    ]);
    expect(other.admitMessage()).toBe(0);
  });
});

test('messages are counted on when a route is compiled again, each route for itself', () => {
  const store = createMemoryStore({ now: () => 0 });
  const limits = {
    messages: { rate: perSecond(1), burst: 2, per: 'subject', over: 'throttle' },
    bytes: { rate: perSecond(2), per: 'subject', over: 'throttle' },
  } as const;
  const meterOf = (name: string) => createMeters({ name, limits }, { store })(() => 'alice');
  const [before, after, other] = [meterOf('chat'), meterOf('chat'), meterOf('other')];
  expect([before.admitMessage(), before.admitMessage(), before.admitBytes(2)]).toEqual([0, 0, 0]);
  expect([after.admitMessage(), after.admitBytes(1)]).toEqual([1_000, 500]);
  expect([other.admitMessage(), other.admitBytes(1)]).toEqual([0, 0]);
});

describe('bytes', () => {
  const limit = { rate: perSecond(1000), per: 'connection', over: 'throttle' } as const;

  test('that have come already are waited for afterwards', () => {
    const clock = handClock();
    const meter = metersOf({ bytes: limit }, clock.now)(nobody);
    expect(meter.admitBytes(1000)).toBe(0);
    expect(meter.admitBytes(500)).toBe(500);
    clock.ms += 500;
    expect(meter.admitBytes(1)).toBe(1);
  });

  test('are never waited for longer than a timer holds', () => {
    const meter = metersOf(
      { bytes: { ...limit, rate: { count: 1, perMs: 3_600_000 } } },
      handClock().now,
    )(nobody);
    expect(meter.admitBytes(65_536)).toBe(2 ** 31 - 1);
  });

  test('beyond the rate end the connection where the limit says so', () => {
    const meter = metersOf({ bytes: { ...limit, over: 'close' } }, handClock().now)(nobody);
    expect(() => meter.admitBytes(1001)).toThrow(expect.objectContaining({ code: 'RATE_LIMITED' }));
  });
});
