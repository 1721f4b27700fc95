import { describe, expect, test } from 'vitest';
import type { Check } from '../../src/admission/grant.ts';
import { limitUpgrades, type UpgradesLimit } from '../../src/admission/upgrades.ts';
import type { CountedPer } from '../../src/config/limit-lists.ts';
import { createMemoryStore } from '../../src/store/memory.ts';
import { grantOf, plainOf, refusal } from '../support/handshakes.ts';
import { outcomesOf } from '../support/limits.ts';

const tenPerSecond = { count: 10, perMs: 1000 };

function checksOf(...limits: UpgradesLimit[]) {
  const clock = { ms: 0 };
  const { observer, outcomes } = outcomesOf();
  const deps = { store: createMemoryStore({ now: () => clock.ms }), limits: observer };
  const checks = limitUpgrades('chat', limits, deps);
  return { clock, checks, check: checks[0] as Check, outcomes };
}

const upgrades = (burst: number, per: CountedPer = 'address', rate = tenPerSecond) =>
  checksOf({ rate, burst, per });

describe('the limit of upgrades', () => {
  test('lets a burst pass, then refuses, then lets pass again in time', () => {
    const { clock, check, outcomes } = upgrades(2);
    const one = () => void check(plainOf(), grantOf());
    one();
    one();
    expect(outcomes).toEqual({ 'chat upgrades address refused': 0 });
    const error = refusal(one);
    expect([error.code, error.status, error.detail, error.message]).toEqual([
      'RATE_LIMITED',
      429,
      'upgrades per address',
      'Too many upgrades and requests per address; slow down.',
    ]);
    expect(outcomes).toEqual({ 'chat upgrades address refused': 1 });
    clock.ms = 100;
    expect(one()).toBeUndefined();
  });

  test.each([
    [20, tenPerSecond, 'q=20;w=2', '1'],
    [5, tenPerSecond, 'q=5;w=1', '1'],
    [600, { count: 600, perMs: 60_000 }, 'q=600;w=60', '1'],
    [1, { count: 1, perMs: 60_000 }, 'q=1;w=60', '60'],
    [1, { count: 7, perMs: 10_000 }, 'q=1;w=2', '2'],
  ])('with a burst of %d at %j says so', (burst, rate, policy, seconds) => {
    const { check } = upgrades(burst, 'route', rate);
    for (let i = 0; i < burst; i += 1) void check(plainOf(), grantOf());
    expect(refusal(() => check(plainOf(), grantOf())).headers).toEqual({
      'retry-after': seconds,
      'ratelimit-policy': `"upgrades-per-route";${policy}`,
      ratelimit: `"upgrades-per-route";r=0;t=${seconds}`,
    });
  });

  test('counts clients apart', () => {
    const { check } = upgrades(1);
    void check(plainOf({ clientAddress: '192.0.2.1' }), grantOf());
    void check(plainOf({ clientAddress: '192.0.2.2' }), grantOf());
    expect(refusal(() => check(plainOf({ clientAddress: '192.0.2.1' }), grantOf())).code).toBe(
      'RATE_LIMITED',
    );
  });

  test('names the one that was hit, and all there are', () => {
    const perMinute = (count: number) => ({ count, perMs: 60_000 });
    const { checks } = checksOf(
      { rate: tenPerSecond, per: 'address' },
      { rate: perMinute(1), burst: 1, per: 'address' },
      { rate: perMinute(2), per: 'claim:https://app/tenant' },
    );
    const [, second, third] = checks as [Check, Check, Check];
    const all =
      '"upgrades-per-address";q=10;w=1, "upgrades-per-address-2";q=1;w=60, "upgrades-per-claim";q=2;w=60';
    void second(plainOf(), grantOf());
    const byAddress = refusal(() => second(plainOf(), grantOf()));
    expect(byAddress.headers).toMatchObject({
      'ratelimit-policy': all,
      ratelimit: '"upgrades-per-address-2";r=0;t=60',
    });
    for (let i = 0; i < 2; i += 1) void third(plainOf(), grantOf());
    const byClaim = refusal(() => third(plainOf(), grantOf()));
    expect(byClaim.headers).toMatchObject({
      'ratelimit-policy': all,
      ratelimit: '"upgrades-per-claim";r=0;t=30',
    });
    expect([byClaim.message, byClaim.detail]).toEqual([
      'Too many upgrades and requests per claim; slow down.',
      'upgrades per claim:https://app/tenant',
    ]);
  });
});
