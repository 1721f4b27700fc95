import { describe, expect, test } from 'vitest';
import { checkAddress } from '../../src/admission/address.ts';
import { grantOf, plainOf, refusal, routeConfig } from '../support/handshakes.ts';

function judge(addresses: { allow?: string[]; deny?: string[] }, clientAddress: string) {
  const rules = routeConfig({ addresses }).addresses ?? {};
  void checkAddress(rules)(plainOf({ clientAddress, peerAddress: '10.0.0.1' }), grantOf());
}

describe('the rules for addresses', () => {
  test.each([
    [{}, '192.0.2.1'],
    [{ allow: ['192.0.2.0/24'] }, '192.0.2.1'],
    [{ allow: ['192.0.2.1'] }, '192.0.2.1'],
    [{ deny: ['198.51.100.0/24'] }, '192.0.2.1'],
    [{ allow: ['192.0.2.0/24'], deny: ['192.0.2.2'] }, '192.0.2.1'],
    [{ allow: ['2001:db8::/32', '192.0.2.0/24'] }, '2001:db8::1'],
    [{ deny: ['10.0.0.0/8'] }, '192.0.2.1'],
  ])('%j let %s pass', (rules, address) => {
    expect(() => judge(rules, address)).not.toThrow();
  });

  test.each([
    [{ allow: ['192.0.2.0/24'] }, '192.0.3.1'],
    [{ allow: ['192.0.2.0/24'] }, '2001:db8::1'],
    [{ allow: ['10.0.0.0/8'] }, '192.0.2.1'],
    [{ deny: ['192.0.2.0/24'] }, '192.0.2.1'],
    [{ deny: ['192.0.2.1'] }, '192.0.2.1'],
    [{ allow: ['192.0.2.0/24'], deny: ['192.0.2.1'] }, '192.0.2.1'],
    [{ deny: ['::ffff:192.0.2.0/120'] }, '192.0.2.1'],
  ])('%j refuse %s', (rules, address) => {
    const error = refusal(() => judge(rules, address));
    expect([error.code, error.status]).toEqual(['ADDRESS_REFUSED', 403]);
  });
});
