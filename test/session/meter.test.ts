import { describe, expect, test } from 'vitest';
import { createMeters, type KeyOf } from '../../src/session/meter.ts';

/** A clock a test moves by hand, in milliseconds. */
function handClock() {
  const clock = { ms: 1_000_000, now: () => clock.ms };
  return clock;
}

const perSecond = (count: number) => ({ count, perMs: 1000 });
const nobody: KeyOf = () => expect.unreachable('a connection is not counted with others');

test('without limits everything passes', () => {
  const meter = createMeters({})(nobody);
  expect([meter.admitMessage(), meter.admitBytes(1e9)]).toEqual([0, 0]);
});

describe('messages', () => {
  const throttled = { rate: perSecond(10), burst: 3, per: 'connection', over: 'throttle' } as const;

  test('beyond the burst wait for their turn', () => {
    const clock = handClock();
    const meter = createMeters({ messages: throttled }, clock.now)(nobody);
    expect(Array.from({ length: 5 }, () => meter.admitMessage())).toEqual([0, 0, 0, 100, 100]);
    clock.ms += 100;
    expect([meter.admitMessage(), meter.admitMessage()]).toEqual([0, 100]);
  });

  test('beyond it end the connection where the limit says so', () => {
    const meter = createMeters({ messages: { ...throttled, over: 'close' } }, handClock().now)(nobody);
    for (let i = 0; i < 3; i++) expect(meter.admitMessage()).toBe(0);
    expect(() => meter.admitMessage()).toThrow(expect.objectContaining({ code: 'RATE_LIMITED' }));
  });

  test('of connections counted together share one burst, of others they do not', () => {
    const meters = createMeters({ messages: { ...throttled, per: 'subject' } }, handClock().now);
    const [one, two, other] = [meters(() => 'alice'), meters(() => 'alice'), meters(() => 'bob')];
    expect([one.admitMessage(), two.admitMessage(), one.admitMessage(), two.admitMessage()]).toEqual([
      0, 0, 0, 100,
    ]);
    expect(other.admitMessage()).toBe(0);
  });
});

describe('bytes', () => {
  const limit = { rate: perSecond(1000), per: 'connection', over: 'throttle' } as const;

  test('that have come already are waited for afterwards', () => {
    const clock = handClock();
    const meter = createMeters({ bytes: limit }, clock.now)(nobody);
    expect(meter.admitBytes(1000)).toBe(0);
    expect(meter.admitBytes(500)).toBe(500);
    clock.ms += 500;
    expect(meter.admitBytes(1)).toBe(1);
  });

  test('are never waited for longer than a timer holds', () => {
    const meter = createMeters(
      { bytes: { ...limit, rate: { count: 1, perMs: 3_600_000 } } },
      handClock().now,
    )(nobody);
    expect(meter.admitBytes(65_536)).toBe(2 ** 31 - 1);
  });

  test('beyond the rate end the connection where the limit says so', () => {
    const meter = createMeters({ bytes: { ...limit, over: 'close' } }, handClock().now)(nobody);
    expect(() => meter.admitBytes(1001)).toThrow(expect.objectContaining({ code: 'RATE_LIMITED' }));
  });
});
