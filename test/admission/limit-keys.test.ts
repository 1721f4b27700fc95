import { expect, test } from 'vitest';
import { compileKey } from '../../src/admission/limit-keys.ts';
import type { CountedPer } from '../../src/config/limit-lists.ts';
import { grantOf, plainOf } from '../support/handshakes.ts';

const origin = 'https://a.example.com';

test.each<[CountedPer, Parameters<typeof plainOf>[0], Parameters<typeof grantOf>[0], string]>([
  ['origin', { origin }, { originPattern: 'https://*.example.com' }, 'https://*.example.com'],
  ['origin', {}, {}, ''],
  ['address', { clientAddress: '192.0.2.1', peerAddress: '10.0.0.1' }, {}, '192.0.2.1'],
  ['address', { clientAddress: '2001:db8:1:2:3::4' }, {}, '2001:db8:1:2::/64'],
  ['subject', {}, { subject: 'alice' }, 'alice'],
  ['subject', {}, {}, ''],
  ['claim:tenant', {}, { claims: { tenant: 'acme' } }, 'acme'],
  ['claim:tenant', {}, { claims: { tenant: 7 } }, '7'],
  ['claim:tenant', {}, { claims: { tenant: null } }, ''],
  ['claim:tenant', {}, { claims: { other: 'acme' } }, ''],
  ['claim:/org/ids', {}, { claims: { org: { ids: ['a', 'b'] } } }, '["a","b"]'],
  ['claim:https://app.example.com/org', {}, { claims: { 'https://app.example.com/org': 'x' } }, 'x'],
  ['route', { origin }, { subject: 'alice' }, ''],
])('per %s %j %j is counted under "%s"', (per, request, grant, key) => {
  expect(compileKey(per)(plainOf(request), grantOf(grant))).toBe(key);
});

test('an IPv6 address is counted by the prefix that makes one client', () => {
  const keyOf = compileKey('address', 48);
  const of = (clientAddress: string) => keyOf(plainOf({ clientAddress }), grantOf());
  expect(of('2001:db8:1:2::1')).toBe('2001:db8:1::/48');
  expect(of('2001:db8:1:ffff::1')).toBe(of('2001:db8:1:2::1'));
  expect(of('2001:db8:2::1')).not.toBe(of('2001:db8:1:2::1'));
});

test.each(['subject', 'claim:tenant'] as const)(
  'long keys per %s take no more room than short ones',
  (per) => {
    const keyOf = (text: string) =>
      compileKey(per)(plainOf(), grantOf({ subject: text, claims: { tenant: text } }));
    expect(keyOf('x'.repeat(64))).toBe('x'.repeat(64));
    expect(keyOf('x'.repeat(8192)).length).toBeLessThanOrEqual(64);
    expect(keyOf('x'.repeat(8192))).toBe(keyOf('x'.repeat(8192)));
    expect(keyOf('x'.repeat(8192))).not.toBe(keyOf(`${'x'.repeat(8191)}y`));
  },
);
