import { describe, expect, test } from 'vitest';
import type { Check, Grant } from '../../src/admission/grant.ts';
import { admit, createAdmission, release } from '../../src/admission/index.ts';
import { Verifications } from '../../src/admission/token/verifications.ts';
import type { TokenVerifier } from '../../src/admission/token/verifier.ts';
import { GatewayError } from '../../src/errors.ts';
import type { GatewayRequest } from '../../src/http/request.ts';
import { createMemoryStore } from '../../src/store/memory.ts';
import { grantOf, plainOf, routeConfig, upgradeOf } from '../support/handshakes.ts';

/** Takes the token for the subject; refuses `bad`. */
const verifier: TokenVerifier = {
  issuer: 'https://id',
  ready: true,
  keys: { ageMs: 0, failures: 0 },
  close: () => undefined,
  verify: async (token) => {
    if (token === 'bad') throw new GatewayError('TOKEN_INVALID');
    return { subject: token, claims: { sub: token }, expiresAt: 1 };
  },
};

function admissionOf(
  route: Readonly<Record<string, unknown>>,
  store = createMemoryStore({ now: () => 0 }),
): readonly Check[] {
  const verifications = new Verifications();
  return createAdmission(routeConfig(route), {
    verifiers: new Map([['main', verifier]]),
    verifications,
    store,
  });
}

function requestWith(token?: string, given: Partial<GatewayRequest> = {}): GatewayRequest {
  return upgradeOf({ headers: token === undefined ? [] : [['Authorization', `Bearer ${token}`]], ...given });
}

async function outcome(checks: readonly Check[] = [], request: GatewayRequest): Promise<string> {
  try {
    await admit(checks, request);
    return 'admitted';
  } catch (error) {
    return error instanceof GatewayError ? error.code : String(error);
  }
}

describe('admission', () => {
  test('grants what the checks found out', async () => {
    const grant = await admit(admissionOf({ auth: { issuer: 'main' } }), requestWith('alice'));
    expect(grant).toMatchObject({ subject: 'alice', claims: { sub: 'alice' }, expiresAt: 1 });
  });

  test('refuses by address before origin, by origin before limits, by limits of its own before the token', async () => {
    const checks = admissionOf({
      addresses: { deny: ['198.51.100.0/24'] },
      auth: { issuer: 'main' },
      limits: { upgrades: { rate: '1/h', per: 'address' } },
    });
    const denied = { clientAddress: '198.51.100.1' };
    const foreign = { origin: 'https://evil.example' };
    expect(await outcome(checks, requestWith('bad', { ...denied, ...foreign }))).toBe('ADDRESS_REFUSED');
    expect(await outcome(checks, requestWith('bad', foreign))).toBe('ORIGIN_REFUSED');
    expect(await outcome(checks, requestWith('bad'))).toBe('TOKEN_INVALID');
    expect(await outcome(checks, requestWith('bad'))).toBe('RATE_LIMITED');
  });

  test.each(['origin', 'route', 'subject', 'claim:sub'])(
    'is not charged per %s to who has no good token',
    async (per) => {
      const checks = admissionOf({
        origins: ['https://*.example.com'],
        auth: { issuer: 'main' },
        limits: { upgrades: { rate: '1/h', per }, connections: { max: 1, per } },
      });
      const page = { origin: 'https://a.example.com' };
      for (let i = 0; i < 5; i++) {
        expect(await outcome(checks, requestWith('bad', page))).toBe('TOKEN_INVALID');
        expect(await outcome(checks, requestWith(undefined, page))).toBe('TOKEN_MISSING');
      }
      expect(await outcome(checks, requestWith('alice', page))).toBe('admitted');
      expect(await outcome(checks, requestWith('alice', page))).toBe('RATE_LIMITED');
    },
  );

  test('counts the pages of one entry of origins together, and those without an Origin', async () => {
    const checks = admissionOf({
      origins: ['https://*.example.com', 'https://b.example'],
      auth: { issuer: 'main' },
      limits: { upgrades: { rate: '1/h', per: 'origin' } },
    });
    const from = (origin?: string) => outcome(checks, requestWith('alice', { origin }));
    expect(await from('https://one.example.com')).toBe('admitted');
    expect(await from('https://two.example.com')).toBe('RATE_LIMITED');
    expect(await from('https://b.example')).toBe('admitted');
    expect([await from(), await from()]).toEqual(['admitted', 'RATE_LIMITED']);
  });

  test('charges nothing shared to who has met a limit of its own', async () => {
    const checks = admissionOf({
      auth: { issuer: 'main' },
      limits: {
        upgrades: [
          { rate: '2/h', per: 'route' },
          { rate: '1/h', per: 'subject' },
        ],
      },
    });
    expect(await outcome(checks, requestWith('alice'))).toBe('admitted');
    for (let i = 0; i < 5; i++) expect(await outcome(checks, requestWith('alice'))).toBe('RATE_LIMITED');
    expect(await outcome(checks, requestWith('bob'))).toBe('admitted');
    expect(await outcome(checks, requestWith('carol'))).toBe('RATE_LIMITED');
  });

  describe('of preflights, which show no token,', () => {
    const origin = 'https://app.example.com';
    const preflight = plainOf({
      method: 'OPTIONS',
      origin,
      headers: [['Access-Control-Request-Method', 'PUT']],
    });
    const common = { origins: [origin], upstream: { http: 'http://127.0.0.1:1' } };
    const alice = () => plainOf({ origin, headers: [['Authorization', 'Bearer alice']] });

    test.each(['origin', 'route', 'subject', 'claim:sub'])('charges none per %s', async (per) => {
      const checks = admissionOf({
        ...common,
        auth: { issuer: 'main' },
        limits: { upgrades: { rate: '1/h', per }, requests: { max: 1, per } },
      });
      for (let i = 0; i < 5; i++) await admit(checks, preflight);
      expect(await outcome(checks, alice())).toBe('admitted');
      expect(await outcome(checks, alice())).toBe(per === 'route' ? 'ROUTE_FULL' : 'TOO_MANY_REQUESTS');
    });

    test('charges all to their address', async () => {
      const limits = { upgrades: { rate: '2/h', per: 'address' }, requests: { perClient: 1 } };
      const checks = admissionOf({ ...common, auth: { issuer: 'main' }, limits });
      const grant = await admit(checks, preflight);
      expect(await outcome(checks, preflight)).toBe('TOO_MANY_REQUESTS');
      release(grant);
      await admit(checks, preflight).then(release);
      expect(await outcome(checks, preflight)).toBe('RATE_LIMITED');
    });

    test('charges those of a route without auth like any request', async () => {
      const checks = admissionOf({ ...common, limits: { upgrades: { rate: '1/h', per: 'route' } } });
      expect(await outcome(checks, preflight)).toBe('admitted');
      expect(await outcome(checks, preflight)).toBe('RATE_LIMITED');
    });
  });

  test('counts by subject only whoever has a good token', async () => {
    const checks = admissionOf({
      auth: { issuer: 'main' },
      limits: { upgrades: { rate: '1/h', per: 'subject' }, connections: { max: 5, per: 'subject' } },
    });
    expect(await outcome(checks, requestWith('bad'))).toBe('TOKEN_INVALID');
    expect(await outcome(checks, requestWith())).toBe('TOKEN_MISSING');
    expect(await outcome(checks, requestWith('alice'))).toBe('admitted');
    expect(await outcome(checks, requestWith('alice'))).toBe('RATE_LIMITED');
    expect(await outcome(checks, requestWith('bob'))).toBe('admitted');
  });

  test('asks no token where the route says so', async () => {
    expect(await outcome(admissionOf({ auth: 'none' }), requestWith())).toBe('admitted');
  });

  test('gives back the places of a client whose token is refused', async () => {
    const checks = admissionOf({
      auth: { issuer: 'main' },
      limits: { connections: { max: 1, per: 'address' }, requests: { perClient: 1 } },
      upstream: { http: 'http://127.0.0.1:1' },
    });
    const alice = { headers: [['Authorization', 'Bearer alice']] } as const;
    for (const request of [upgradeOf, plainOf]) {
      for (let i = 0; i < 3; i++) expect(await outcome(checks, request())).toBe('TOKEN_MISSING');
      expect(await outcome(checks, request(alice))).toBe('admitted');
      expect(await outcome(checks, request(alice))).toMatch(/^TOO_MANY/);
    }
  });

  test('gives a place back once, when it is released', async () => {
    const checks = admissionOf({ limits: { connections: { max: 2, per: 'route' } } });
    const grants = [await admit(checks, upgradeOf()), await admit(checks, upgradeOf())];
    release(grants[0] as Grant);
    release(grants[0] as Grant);
    expect(await outcome(checks, upgradeOf())).toBe('admitted');
    expect(await outcome(checks, upgradeOf())).toBe('TOO_MANY_CONNECTIONS');
  });

  test('undoes each reservation once', () => {
    let undone = 0;
    const grant = grantOf({ releases: [() => (undone += 1), () => (undone += 1)] });
    release(grant);
    release(grant);
    expect(undone).toBe(2);
  });

  test('runs no check after one that refuses, and passes on what it threw', async () => {
    const ran: string[] = [];
    const failure = new Error('unforeseen');
    const checks: Check[] = [
      (_, grant) => void grant.releases.push(() => ran.push('released')),
      async () => void ran.push('second'),
      async () => Promise.reject(failure),
      () => void ran.push('fourth'),
    ];
    await expect(admit(checks, plainOf())).rejects.toBe(failure);
    expect(ran).toEqual(['second', 'released']);
  });

  test('gives back what was reserved before it as well, when it refuses', async () => {
    const grant = grantOf();
    let undone = 0;
    grant.releases.push(() => (undone += 1));
    await expect(admit([() => Promise.reject(new Error('no'))], plainOf(), grant)).rejects.toThrow('no');
    expect(undone).toBe(1);
  });

  test('counts each route for itself', async () => {
    const store = createMemoryStore({ now: () => 0 });
    const limits = { upgrades: { rate: '1/h', per: 'route' } };
    const [one, other] = ['one', 'other'].map((name) => admissionOf({ name, limits }, store));
    expect(await outcome(one, plainOf())).toBe('admitted');
    expect(await outcome(one, plainOf())).toBe('RATE_LIMITED');
    expect(await outcome(other, plainOf())).toBe('admitted');
  });

  test('counts on when a route is compiled again', async () => {
    const store = createMemoryStore({ now: () => 0 });
    const limits = { upgrades: { rate: '2/h', per: 'route' }, connections: { max: 1, per: 'route' } };
    const [first, again] = [admissionOf({ limits }, store), admissionOf({ limits }, store)];
    const grant = await admit(first, upgradeOf());
    expect(await outcome(again, upgradeOf())).toBe('TOO_MANY_CONNECTIONS');
    release(grant);
    expect(await outcome(again, upgradeOf())).toBe('RATE_LIMITED');
  });

  test('starts anew under another rate, but keeps the places that are taken', async () => {
    const store = createMemoryStore({ now: () => 0 });
    const limitsOf = (rate: string, max: number) => ({
      limits: { upgrades: { rate, per: 'route' }, connections: { max, per: 'route' } },
    });
    expect(await outcome(admissionOf(limitsOf('1/h', 2), store), upgradeOf())).toBe('admitted');
    expect(await outcome(admissionOf(limitsOf('2/h', 1), store), upgradeOf())).toBe('TOO_MANY_CONNECTIONS');
    expect(await outcome(admissionOf(limitsOf('2/h', 1), store), plainOf())).toBe('admitted');
    expect(await outcome(admissionOf(limitsOf('2/h', 1), store), plainOf())).toBe('RATE_LIMITED');
  });
});
