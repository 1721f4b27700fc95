import { describe, expect, test } from 'vitest';
import { burstOf, limitConnections, limitKey, limitUpgrades, type Per } from '../../src/admission/limits.ts';
import { BucketTable } from '../../src/store/buckets.ts';
import { CounterTable } from '../../src/store/counters.ts';
import { grantOf, plainOf, refusal, upgradeOf } from '../support/handshakes.ts';

const tenPerSecond = { count: 10, perMs: 1000 };

function upgrades(burst: number, per: Per = 'address', rate = tenPerSecond) {
  const clock = { ms: 0 };
  const limit = { rate, burst, per };
  return { clock, check: limitUpgrades(limit, new BucketTable(rate, burst, { now: () => clock.ms })) };
}

describe('the limit of upgrades', () => {
  test('lets a burst pass, then refuses, then lets pass again in time', () => {
    const { clock, check } = upgrades(2);
    const one = () => void check(plainOf(), grantOf());
    one();
    one();
    const error = refusal(one);
    expect([error.code, error.status]).toEqual(['RATE_LIMITED', 429]);
    clock.ms = 100;
    expect(one()).toBeUndefined();
  });

  test.each([
    [20, tenPerSecond, '"upgrades";q=20;w=2', '1'],
    [5, tenPerSecond, '"upgrades";q=5;w=1', '1'],
    [600, { count: 600, perMs: 60_000 }, '"upgrades";q=600;w=60', '1'],
    [1, { count: 1, perMs: 60_000 }, '"upgrades";q=1;w=60', '60'],
    [1, { count: 7, perMs: 10_000 }, '"upgrades";q=1;w=2', '2'],
  ])('with a burst of %d at %j says so', (burst, rate, policy, seconds) => {
    const { check } = upgrades(burst, 'route', rate);
    for (let i = 0; i < burst; i += 1) void check(plainOf(), grantOf());
    expect(refusal(() => check(plainOf(), grantOf())).headers).toEqual({
      'retry-after': seconds,
      'ratelimit-policy': policy,
      ratelimit: `"upgrades";r=0;t=${seconds}`,
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

  test('allows a unit of time’s worth at once unless a burst is given', () => {
    expect(burstOf({ rate: tenPerSecond })).toBe(10);
    expect(burstOf({ rate: tenPerSecond, burst: 3 })).toBe(3);
  });
});

describe('the limit of connections', () => {
  test('refuses the one too many, until a place is given back', () => {
    const check = limitConnections({ max: 2, per: 'address' }, new CounterTable());
    const grants = [grantOf(), grantOf(), grantOf()] as const;
    void check(upgradeOf(), grants[0]);
    void check(upgradeOf(), grants[1]);
    const error = refusal(() => check(upgradeOf(), grants[2]));
    expect([error.code, error.status, error.headers['retry-after']]).toEqual([
      'TOO_MANY_CONNECTIONS',
      429,
      '5',
    ]);
    expect(grants.map((grant) => grant.releases.length)).toEqual([1, 1, 0]);
    grants[0].releases[0]?.();
    expect(check(upgradeOf(), grants[2])).toBeUndefined();
  });

  test('counts clients apart', () => {
    const check = limitConnections({ max: 1, per: 'address' }, new CounterTable());
    void check(upgradeOf({ clientAddress: '192.0.2.1' }), grantOf());
    expect(check(upgradeOf({ clientAddress: '192.0.2.2' }), grantOf())).toBeUndefined();
  });

  test('does not count plain requests', () => {
    const check = limitConnections({ max: 1, per: 'route' }, new CounterTable());
    const grant = grantOf();
    for (let i = 0; i < 3; i += 1) expect(check(plainOf(), grant)).toBeUndefined();
    expect(grant.releases).toEqual([]);
  });
});

describe('what a request is counted under', () => {
  const origin = 'https://a.example';
  test.each<[Per, Parameters<typeof plainOf>[0], Parameters<typeof grantOf>[0], string]>([
    ['origin', { origin }, {}, 'https://a.example'],
    ['origin', { origin: 'HTTPS://A.example:443' }, {}, 'https://a.example'],
    ['origin', {}, {}, ''],
    ['address', { clientAddress: '192.0.2.1', peerAddress: '10.0.0.1' }, {}, '192.0.2.1'],
    ['address', { clientAddress: '2001:db8:1:2:3::4' }, {}, '2001:db8:1:2::/64'],
    ['subject', {}, { subject: 'alice' }, 'alice'],
    ['subject', {}, {}, ''],
    ['route', { origin }, { subject: 'alice' }, ''],
  ])('per %s of %j %j is "%s"', (per, request, grant, key) => {
    expect(limitKey(per, plainOf(request), grantOf(grant))).toBe(key);
  });
});
