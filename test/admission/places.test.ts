import { describe, expect, test } from 'vitest';
import type { Check } from '../../src/admission/grant.ts';
import {
  type ConnectionsLimit,
  limitConnections as compileConnections,
  limitRequests as compileRequests,
} from '../../src/admission/places.ts';
import type { RequestsLimit } from '../../src/config/request-limits.ts';
import { createMemoryStore } from '../../src/store/memory.ts';
import { grantOf, plainOf, refusal, upgradeOf } from '../support/handshakes.ts';
import { outcomesOf } from '../support/limits.ts';

function depsOf() {
  const { observer, outcomes } = outcomesOf();
  return { deps: { store: createMemoryStore(), limits: observer }, outcomes };
}

const limitConnections = (limit: ConnectionsLimit, { deps } = depsOf()) =>
  compileConnections('chat', [limit], deps)[0] as Check;
const limitRequests = (limit: RequestsLimit, { deps } = depsOf()) =>
  compileRequests('chat', [limit], deps)[0] as Check;

describe('the limit of connections', () => {
  test('refuses the one too many, until a place is given back', () => {
    const heard = depsOf();
    const check = limitConnections({ max: 2, per: 'address' }, heard);
    const grants = [grantOf(), grantOf(), grantOf()] as const;
    void check(upgradeOf(), grants[0]);
    void check(upgradeOf(), grants[1]);
    const error = refusal(() => check(upgradeOf(), grants[2]));
    expect([error.code, error.status, error.message, error.detail]).toEqual([
      'TOO_MANY_CONNECTIONS',
      429,
      'Too many open connections per address.',
      'connections per address',
    ]);
    expect(error.headers).toEqual({
      'retry-after': '5',
      'ratelimit-policy': '"connections-per-address";q=2;qu="concurrent-requests"',
      ratelimit: '"connections-per-address";r=0',
    });
    expect(heard.outcomes).toEqual({ 'chat connections address refused': 1 });
    expect(grants.map((grant) => grant.releases.length)).toEqual([1, 1, 0]);
    grants[0].releases[0]?.();
    expect(check(upgradeOf(), grants[2])).toBeUndefined();
  });

  test('counts clients apart', () => {
    const check = limitConnections({ max: 1, per: 'address' });
    void check(upgradeOf({ clientAddress: '192.0.2.1' }), grantOf());
    expect(check(upgradeOf({ clientAddress: '192.0.2.2' }), grantOf())).toBeUndefined();
  });

  test('does not count plain requests', () => {
    const check = limitConnections({ max: 1, per: 'route' });
    const grant = grantOf();
    for (let i = 0; i < 3; i += 1) expect(check(plainOf(), grant)).toBeUndefined();
    expect(grant.releases).toEqual([]);
  });
});

describe('the limit of requests', () => {
  test.each([
    ['route', 'ROUTE_FULL', 503],
    ['subject', 'TOO_MANY_REQUESTS', 429],
  ] as const)('per %s refuses the one too many with %s', (per, code, status) => {
    const check = limitRequests({ max: 1, per });
    void check(plainOf(), grantOf());
    const error = refusal(() => check(plainOf(), grantOf()));
    expect([error.code, error.status, error.message]).toEqual([
      code,
      status,
      `Too many requests at a time per ${per}.`,
    ]);
    expect(error.headers.ratelimit).toBe(`"requests-per-${per}";r=0`);
  });

  test('does not count upgrades', () => {
    const check = limitRequests({ max: 1, per: 'route' });
    for (let i = 0; i < 3; i += 1) expect(check(upgradeOf(), grantOf())).toBeUndefined();
  });
});
