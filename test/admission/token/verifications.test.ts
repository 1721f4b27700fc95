import { describe, expect, test } from 'vitest';
import { Verifications } from '../../../src/admission/token/verifications.ts';
import { GatewayError } from '../../../src/errors.ts';

const A = '192.0.2.1';
const B = '192.0.2.2';

function setUp(bounds: ConstructorParameters<typeof Verifications>[0] = {}) {
  const clock = { ms: 0 };
  const verifications = new Verifications({ now: () => clock.ms, ...bounds });
  /** Whether a proof of an address would be looked at. */
  function isLookedAt(address: string): boolean {
    try {
      verifications.enter(address)();
      return true;
    } catch (error) {
      expect(error).toMatchObject({ code: 'RATE_LIMITED', headers: { 'retry-after': expect.any(String) } });
      return false;
    }
  }
  function fail(address: string, times: number): void {
    for (let turn = 0; turn < times; turn += 1) verifications.failed(address);
  }
  return { clock, verifications, isLookedAt, fail };
}

describe('bad proofs', () => {
  test('of an address are looked at 40 at once, then 20 a second', () => {
    const { clock, isLookedAt, fail } = setUp();
    fail(A, 39);
    expect(isLookedAt(A)).toBe(true);
    fail(A, 1);
    expect(isLookedAt(A)).toBe(false);
    clock.ms += 49;
    expect(isLookedAt(A)).toBe(false);
    clock.ms += 1;
    expect(isLookedAt(A)).toBe(true);
    fail(A, 1);
    expect(isLookedAt(A)).toBe(false);
  });

  test('of one address are no matter of another, but of all in one IPv6 network', () => {
    const { isLookedAt, fail } = setUp();
    fail(A, 40);
    expect(isLookedAt(B)).toBe(true);
    fail('2001:db8::1', 40);
    expect(isLookedAt('2001:db8::2')).toBe(false);
    expect(isLookedAt('2001:db8:0:1::1')).toBe(true);
  });

  test('that were under way together are paid for later, but not for long', () => {
    const { clock, verifications, isLookedAt, fail } = setUp();
    fail(A, 60);
    clock.ms += 1_000;
    expect(isLookedAt(A)).toBe(false);
    clock.ms += 50;
    expect(isLookedAt(A)).toBe(true);
    fail(A, 10_000);
    expect(() => verifications.check(A)).toThrow(
      expect.objectContaining({ headers: { 'retry-after': '4' } }),
    );
    clock.ms += 4_050;
    expect(isLookedAt(A)).toBe(true);
  });

  test('are refused before anything is done for them', () => {
    const { verifications, fail } = setUp();
    expect(() => verifications.check(A)).not.toThrow();
    fail(A, 40);
    expect(() => verifications.check(A)).toThrow(GatewayError);
  });

  test('take places away, for no address may have more under way than its budget can pay', () => {
    const { verifications, fail } = setUp({ perAddress: 80 });
    fail(A, 38);
    const releases = Array.from({ length: 4 }, () => verifications.enter(A));
    expect(() => verifications.enter(A)).toThrow(GatewayError);
    releases[0]?.();
    expect(() => verifications.enter(A)).not.toThrow();
  });
});

describe('places', () => {
  test('are bounded for each address, and given back once', () => {
    const { verifications, isLookedAt } = setUp({ perAddress: 2 });
    const release = verifications.enter(A);
    verifications.enter(A);
    expect(isLookedAt(A)).toBe(false);
    expect(isLookedAt(B)).toBe(true);
    release();
    release();
    verifications.enter(A);
    expect(isLookedAt(A)).toBe(false);
  });

  test('are bounded for everybody together', () => {
    const { verifications, isLookedAt } = setUp({ inFlight: 3 });
    const releases = [A, B, '2001:db8::1'].map((address) => verifications.enter(address));
    expect(isLookedAt('192.0.2.3')).toBe(false);
    for (const release of releases) release();
    expect(isLookedAt('192.0.2.3')).toBe(true);
  });

  test('are enough for thousands of honest clients of one address at once', () => {
    const { verifications } = setUp();
    const enter = () => Array.from({ length: 4_000 }, () => verifications.enter(A));
    for (const release of enter()) release();
    expect(enter).not.toThrow();
  });
});
