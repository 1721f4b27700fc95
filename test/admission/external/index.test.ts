import { describe, expect, test } from 'vitest';
import { isPreflight } from '../../../src/admission/cors.ts';
import { checkExternal } from '../../../src/admission/external/index.ts';
import type { Answer, ExternalConfig } from '../../../src/admission/external/service.ts';
import type { Grant } from '../../../src/admission/grant.ts';
import { Verifications } from '../../../src/admission/token/verifications.ts';
import type { UpgradeRequest } from '../../../src/http/request.ts';
import { externalConfig } from '../../support/auth-service.ts';
import { emptyGrant, requestOf } from '../../support/requests.ts';
import { codeOf, NOW_MS, NOW_S } from '../../support/tokens.ts';

/** A service that always answers so, and keeps what it was asked. */
function serviceOf(fields: readonly string[] = [], status = 200) {
  const asked: { fields: Record<string, string>; address: string }[] = [];
  async function ask(given: readonly (readonly [string, string])[], address: string): Promise<Answer> {
    asked.push({ fields: Object.fromEntries(given), address });
    return { status, fields, body: Buffer.alloc(0) };
  }
  return { asked, ask };
}

function checkOf(
  service: ReturnType<typeof serviceOf>,
  config: Partial<ExternalConfig> = {},
  forwardToken = false,
  ipv6Prefix = 64,
) {
  const check = checkExternal(
    { forwardToken, external: externalConfig({ url: 'http://auth.test/', ...config }) },
    {
      service,
      verifications: new Verifications({ failures: 2, failuresPerSecond: 1, now: () => 0, ipv6Prefix }),
    },
    isPreflight,
    () => NOW_MS,
  );
  return async function admit(changes: Partial<UpgradeRequest>, grant: Grant = emptyGrant()): Promise<Grant> {
    await check(requestOf(changes), grant);
    return grant;
  };
}

const COOKIE = { headers: [['Cookie', 'sid=1']] as const };

describe('what the answer says', () => {
  test('becomes the subject, claims and end of the grant', async () => {
    const service = serviceOf(['X-User', 'alice', 'X-Auth-Expires', `${NOW_S + 9}`]);
    expect(await checkOf(service, { subject: 'x-user' })(COOKIE)).toEqual({
      subject: 'alice',
      claims: { 'x-user': 'alice', 'x-auth-expires': `${NOW_S + 9}` },
      expiresAt: NOW_MS + 9_000,
      graceMs: 0,
      releases: [],
    });
  });

  test('comes beside what a token says, whose claims win, and the first end counts', async () => {
    const grant = {
      subject: 'bob',
      claims: { role: 'admin', sub: 'bob' },
      expiresAt: NOW_MS + 5_000,
      releases: [],
    };
    const service = serviceOf(['Role', 'guest', 'X-User', 'alice', 'X-Auth-Expires', `${NOW_S + 9}`]);
    expect(await checkOf(service)({}, { ...grant })).toMatchObject({
      subject: 'bob',
      claims: { role: 'admin', sub: 'bob', 'x-user': 'alice' },
      expiresAt: NOW_MS + 5_000,
    });
    expect(await checkOf(service, { subject: 'x-user' })({}, { ...grant })).toMatchObject({
      subject: 'alice',
    });
    const later = { ...grant, expiresAt: NOW_MS + 10_000 };
    expect(await checkOf(service)({}, later)).toMatchObject({ expiresAt: NOW_MS + 9_000 });
  });

  test('names the subject in its claim too, whatever a token says there, and even where it names nobody', async () => {
    const grant = () => ({ subject: 'bob', claims: { 'x-user': 'mallory', iss: 'them' }, releases: [] });
    const service = serviceOf(['X-User', 'alice', 'Iss', 'other']);
    const admitted = await checkOf(service, { subject: 'x-user' })({}, grant());
    expect(admitted).toMatchObject({ subject: 'alice', claims: { 'x-user': 'alice', iss: 'them' } });
    const nameless = await checkOf(serviceOf(), { subject: 'x-user' })({}, grant());
    expect(nameless.claims['x-user']).toBeUndefined();
    expect(await checkOf(service)({}, grant())).toMatchObject({ claims: { 'x-user': 'mallory' } });
  });

  test('is never the client’s own word', async () => {
    const headers = [['X-User', 'root']] as const;
    expect(await checkOf(serviceOf(), { subject: 'x-user' })({ headers })).toEqual(emptyGrant());
  });
});

describe('the question', () => {
  const credential = { from: 'query', name: 't' } as const;
  const copies = [{ from: 'header', name: 'authorization' }] as const;
  const shown = { query: 't=a.b.c&x=1', headers: [['Authorization', 'Bearer a.b.c']] as const };

  test('has no token of ours in it', async () => {
    const service = serviceOf();
    await checkOf(service, { forward: ['authorization'] })(shown, { ...emptyGrant(), credential, copies });
    expect(JSON.stringify(service.asked)).not.toContain('a.b.c');
    expect(service.asked[0]?.fields['x-forwarded-uri']).toBe('/?x=1');
  });

  test('has it where the route passes it on', async () => {
    const service = serviceOf();
    const grant = { ...emptyGrant(), credential, copies };
    await checkOf(service, { forward: ['authorization'] }, true)(shown, grant);
    expect(service.asked[0]?.fields).toMatchObject({
      Authorization: 'Bearer a.b.c',
      'x-forwarded-uri': '/?t=a.b.c&x=1',
    });
  });

  test('has the client’s fields that are listed, ours, and the id of the request', async () => {
    const service = serviceOf();
    const headers = [...COOKIE.headers, ['X-Forwarded-Host', 'evil.test'], ['X-Other', '1']] as const;
    await checkOf(service)({ headers, path: '/x', clientAddress: '2001:db8::1', peerAddress: '2001:db8::1' });
    expect(service.asked).toEqual([
      {
        address: '2001:db8::/64',
        fields: {
          Cookie: 'sid=1',
          'x-forwarded-method': 'GET',
          'x-forwarded-proto': 'https',
          'x-forwarded-host': 'app.test',
          'x-forwarded-uri': '/x',
          'x-forwarded-for': '2001:db8::1',
          'x-original-method': 'GET',
          'x-original-url': 'https://app.test/x',
          'x-request-id': 'r1',
        },
      },
    ]);
  });

  test('is bounded by networks of the size that the configuration says', async () => {
    const service = serviceOf();
    await checkOf(service, {}, false, 48)({ clientAddress: '2001:db8:1:2::3' });
    expect(service.asked[0]?.address).toBe('2001:db8:1::/48');
  });

  test('is asked each time', async () => {
    const service = serviceOf();
    const admit = checkOf(service);
    await admit(COOKIE);
    await admit(COOKIE);
    expect(service.asked).toHaveLength(2);
  });

  test('is asked once for a while where answers are remembered, whatever the request’s id', async () => {
    const service = serviceOf(['X-User', 'alice']);
    const admit = checkOf(service, { cache: 1_000 });
    await admit({ ...COOKIE, id: 'r1' });
    expect(await admit({ ...COOKIE, id: 'r2' })).toMatchObject({ claims: { 'x-user': 'alice' } });
    expect(service.asked).toHaveLength(1);
  });

  test.each([
    { headers: [['Cookie', 'sid=2']] as const },
    { method: 'HEAD' },
    { path: '/other' },
    { query: '' },
    { clientAuthority: 'other.test' },
    { clientAddress: '192.0.2.7' },
    { secure: false },
  ])('is another one with %j', async (changes) => {
    const service = serviceOf();
    const admit = checkOf(service, { cache: 1_000 });
    await admit(COOKIE);
    await admit({ ...COOKIE, ...changes });
    expect(service.asked).toHaveLength(2);
  });
});

describe('a cookie without an Origin', () => {
  test.each([
    ['an upgrade', { key: 'k' }],
    ['a POST', { method: 'POST' }],
    ['a DELETE', { method: 'DELETE' }],
  ])('does not do for %s, and nobody is asked', async (_, changes) => {
    const service = serviceOf();
    expect(await codeOf(checkOf(service)({ ...COOKIE, ...changes }))).toBe('ORIGIN_REFUSED');
    expect(service.asked).toEqual([]);
  });

  test.each([
    ['a page', {}],
    ['an upgrade with an Origin', { key: 'k', origin: 'https://app.test' }],
    [
      'an upgrade with an Authorization',
      { key: 'k', headers: [...COOKIE.headers, ['Authorization', 'x']] as const },
    ],
    ['an upgrade without a cookie', { key: 'k', headers: [] }],
  ])('does for %s', async (_, changes) => {
    await expect(checkOf(serviceOf())({ ...COOKIE, ...changes })).resolves.toBeDefined();
  });

  test('is none where the service gets to see no cookies', async () => {
    await expect(
      checkOf(serviceOf(), { forward: ['accept'] })({ ...COOKIE, key: 'k' }),
    ).resolves.toBeDefined();
  });
});

test('a preflight is let in, unproven, and nobody is asked', async () => {
  const service = serviceOf([], 403);
  const headers = [['Access-Control-Request-Method', 'PUT']] as const;
  const grant = await checkOf(service)({ method: 'OPTIONS', origin: 'https://app.test', headers });
  expect(grant).toEqual({ ...emptyGrant(), isUnproven: true });
  expect(service.asked).toEqual([]);
});

test('a refusal is thrown', async () => {
  const answered = checkOf(serviceOf(['WWW-Authenticate', 'Basic'], 401))({});
  await expect(answered).rejects.toMatchObject({ name: 'GatewayError', code: 'TOKEN_INVALID', status: 401 });
});

test('of a client from whose address come too many that are refused nobody is asked for a while', async () => {
  const service = serviceOf([], 403);
  const admit = checkOf(service);
  for (let count = 0; count < 2; count++) expect(await codeOf(admit(COOKIE))).toBe('FORBIDDEN');
  expect(await codeOf(admit(COOKIE))).toBe('RATE_LIMITED');
  expect(await codeOf(admit({ ...COOKIE, clientAddress: '192.0.2.7' }))).toBe('FORBIDDEN');
  expect(service.asked).toHaveLength(3);
});

test('who brings nothing to be judged spends nothing of its address, and is asked about however little is left', async () => {
  const service = serviceOf([], 401);
  const admit = checkOf(service);
  for (let count = 0; count < 5; count++) expect(await codeOf(admit({}))).toBe('TOKEN_INVALID');
  for (let count = 0; count < 2; count++) expect(await codeOf(admit(COOKIE))).toBe('TOKEN_INVALID');
  expect(await codeOf(admit(COOKIE))).toBe('RATE_LIMITED');
  expect(await codeOf(admit({}))).toBe('TOKEN_INVALID');
  expect(service.asked).toHaveLength(8);
});

test('who is sent to where it signs in may come as often as it likes', async () => {
  const admit = checkOf(serviceOf(['Location', '/login'], 302));
  for (let count = 0; count < 5; count++) expect(await codeOf(admit(COOKIE))).toBe('TOKEN_MISSING');
});
