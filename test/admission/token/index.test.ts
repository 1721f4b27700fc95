import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { checkClaims } from '../../../src/admission/authentication.ts';
import { isPreflight } from '../../../src/admission/cors.ts';
import type { Check } from '../../../src/admission/grant.ts';
import type { ApiKeys } from '../../../src/admission/keys/index.ts';
import { checkToken } from '../../../src/admission/token/index.ts';
import { Verifications } from '../../../src/admission/token/verifications.ts';
import { createVerifier, type TokenVerifier } from '../../../src/admission/token/verifier.ts';
import { tokenSource } from '../../../src/config/fields.ts';
import type { AuthConfig } from '../../../src/config/schema.ts';
import { GatewayError } from '../../../src/errors.ts';
import type { UpgradeRequest } from '../../../src/http/request.ts';
import { emptyGrant, requestOf } from '../../support/requests.ts';
import {
  claims,
  codeOf,
  ISSUER,
  issuer,
  mint,
  NOW_MS,
  NOW_S,
  SECRET,
  signingKey,
  unsigned,
} from '../../support/tokens.ts';

const key = signingKey('HS256');
const otherKey = signingKey('HS256', 'of somebody else');
const OTHER = 'https://other.test/';
const valid = mint(key, { scope: 'chat read' });

const now = () => NOW_MS;
const main = await createVerifier(issuer({ secret: SECRET, algorithms: ['HS256'] }), { now });
const other = await createVerifier(
  issuer({ issuer: OTHER, secret: 'of somebody else', algorithms: ['HS256'] }),
  { now },
);
const next = await createVerifier(issuer({ secret: 'of somebody else', algorithms: ['HS256'] }), { now });

interface Options {
  readonly token?: string;
  readonly verifiers?: Record<string, TokenVerifier>;
  readonly verifications?: Verifications;
  readonly require?: AuthConfig['require'];
  readonly keys?: ApiKeys;
}

function checkOf({
  token = 'header',
  verifiers = { main },
  verifications = new Verifications(),
  require = {},
  keys,
}: Options): Check {
  const auth: AuthConfig = {
    issuer: Object.keys(verifiers),
    token: token.split(' ').map((word) => tokenSource.parse(word)),
    require,
    forward: {},
    onExpiry: 'close',
    forwardToken: false,
    ...(keys && { keys: 'keys.yaml' }),
  };
  const deps = {
    verifiers: new Map(Object.entries(verifiers)),
    verifications,
    keys: keys && new Map([['keys.yaml', keys]]),
  };
  const checksToken = checkToken(auth, deps, isPreflight);
  const checksClaims = checkClaims(require);
  return async function check(request, grant) {
    await checksToken(request, grant);
    await checksClaims(request, grant);
  };
}

async function admit(options: Options, changes: Partial<UpgradeRequest>) {
  const grant = emptyGrant();
  await checkOf(options)(requestOf(changes), grant);
  return grant;
}

/** The refusal's code and the field that explains it. */
async function refusal(options: Options, changes: Partial<UpgradeRequest>) {
  const error = await admit(options, changes).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(GatewayError);
  const { code, headers } = error as GatewayError;
  return [code, headers['www-authenticate']];
}

const bearer = (token: string) => ({ headers: [['Authorization', `Bearer ${token}`]] as const });
const cookie = (token: string) => ({ headers: [['Cookie', `session=${token}`]] as const });

/** A verifier that refuses every token, and keeps what it was asked about. */
function spy(iss: string, asked: string[]): TokenVerifier {
  async function verify(token: string): Promise<never> {
    asked.push(token);
    throw new GatewayError('TOKEN_INVALID');
  }
  return { issuer: iss, verify, ready: true, keys: { ageMs: 0, failures: 0 }, close() {} };
}

describe('a token that suffices', () => {
  test('leaves its claims, subject, expiry and place in the grant', async () => {
    expect(await admit({}, bearer(valid))).toEqual({
      subject: 'alice',
      issuer: ISSUER,
      claims: claims({ scope: 'chat read' }),
      expiresAt: (NOW_S + 3600) * 1000,
      graceMs: 5_000,
      marks: {},
      credential: { from: 'header', name: 'authorization' },
      copies: [],
      releases: [],
    });
  });

  test('may come in a cookie if an Origin comes with it', async () => {
    const grant = await admit({ token: 'cookie:session' }, { ...cookie(valid), origin: 'https://app.test' });
    expect(grant.credential).toEqual({ from: 'cookie', name: 'session' });
  });

  test('may stand in several places, which are all noted', async () => {
    const grant = await admit(
      { token: 'subprotocol query:t header' },
      { ...bearer(valid), query: `t=${valid}`, protocols: ['bearer', valid] },
    );
    expect(grant.credential).toEqual({ from: 'subprotocol', carriers: ['bearer', valid], answer: 'bearer' });
    expect(grant.copies).toEqual([
      { from: 'query', name: 't' },
      { from: 'header', name: 'authorization' },
    ]);
  });

  test.each([
    ['a Bearer token where the header is none of the places', 'cookie:session', 'Bearer x.y.z'],
    ['another scheme where it is one', 'header cookie:session', 'Basic YTpi'],
  ])("may stand beside the application's own Authorization: %s", async (_, places, value) => {
    const headers = [['Authorization', value] as const, ...cookie(valid).headers];
    const grant = await admit({ token: places }, { headers, origin: 'https://app.test' });
    expect(grant).toMatchObject({ credential: { from: 'cookie', name: 'session' }, copies: [] });
  });

  test('may stand in a cookie too without an Origin, for the header speaks for the sender', async () => {
    const headers = [...bearer(valid).headers, ...cookie(valid).headers];
    const upgrade = { headers, key: 'k' };
    await expect(admit({ token: 'cookie:session header' }, upgrade)).resolves.toBeDefined();
  });
});

describe('a preflight', () => {
  const preflight = {
    method: 'OPTIONS',
    origin: 'https://app.test',
    headers: [['Access-Control-Request-Method', 'PUT']] as const,
  };

  test('needs no token', async () => {
    expect(await admit({}, preflight)).toEqual({ ...emptyGrant(), isUnproven: true, copies: [] });
  });

  test("has the token of the page's request in its query, which says nothing and is noted to be taken out", async () => {
    const grant = await admit({ token: 'query:t query:u' }, { ...preflight, query: 't=x.y.z&u=a.b.c' });
    expect(grant).toEqual({
      ...emptyGrant(),
      isUnproven: true,
      credential: { from: 'query', name: 't' },
      copies: [{ from: 'query', name: 'u' }],
    });
  });

  test('with an Authorization is none, and is judged by it', async () => {
    const headers = [...preflight.headers, ...bearer('x.y.z').headers];
    expect((await refusal({}, { ...preflight, headers }))[0]).toBe('TOKEN_INVALID');
  });
});

describe('a token that stands where the route does not look', () => {
  const STRAY = 'where auth.token does not look';

  test.each<[string, Options, Partial<UpgradeRequest>, string | undefined]>([
    ['a page’s', {}, { protocols: ['chat', 'bearer', valid] }, `a token came by subprotocol, ${STRAY}`],
    ['a program’s', { token: 'subprotocol' }, bearer(valid), `a token came by header, ${STRAY}`],
    ['in a cookie of who knows what for', {}, cookie(valid), undefined],
    ['no', { token: 'subprotocol' }, {}, undefined],
    [
      'another Authorization',
      { token: 'subprotocol' },
      { headers: [['Authorization', 'Basic eDp5']] },
      undefined,
    ],
  ])('is told to the log, and counts for nothing: %s', async (_, options, request, detail) => {
    const error = await admit(options, request).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'TOKEN_MISSING', message: 'A token is required.', detail });
  });
});

describe('refusals', () => {
  test.each<[string, Options, Partial<UpgradeRequest>, string, string]>([
    ['no token', {}, {}, 'TOKEN_MISSING', 'Bearer realm="app.test"'],
    ['a token elsewhere', {}, cookie(valid), 'TOKEN_MISSING', 'Bearer realm="app.test"'],
    [
      'an Authorization nobody named',
      { token: 'subprotocol' },
      bearer(valid),
      'TOKEN_MISSING',
      'Bearer realm="app.test"',
    ],
    [
      'a forged token',
      {},
      bearer(unsigned({ alg: 'HS256' })),
      'TOKEN_INVALID',
      'Bearer realm="app.test", error="invalid_token"',
    ],
    [
      'an empty token',
      { token: 'subprotocol' },
      { protocols: ['authorization.bearer.'] },
      'TOKEN_INVALID',
      'Bearer realm="app.test", error="invalid_token"',
    ],
    [
      'an expired token',
      {},
      bearer(mint(key, { exp: NOW_S - 60 })),
      'TOKEN_EXPIRED',
      'Bearer realm="app.test", error="invalid_token", error_description="The token has expired"',
    ],
    [
      'too little scope',
      { require: { scope: ['chat', 'write'] } },
      bearer(valid),
      'FORBIDDEN',
      'Bearer realm="app.test", error="insufficient_scope", scope="chat write"',
    ],
    [
      'another claim',
      { require: { role: 'admin' } },
      bearer(valid),
      'FORBIDDEN',
      'Bearer realm="app.test", error="insufficient_scope"',
    ],
    [
      'a scope that would break out of its quotes',
      { require: { scope: 'a"b\\c\u00e9\r\nX: y' } },
      bearer(valid),
      'FORBIDDEN',
      'Bearer realm="app.test", error="insufficient_scope", scope="abcX: y"',
    ],
    [
      'two different tokens, both valid',
      { token: 'header query:t' },
      { ...bearer(valid), query: `t=${mint(key, { sub: 'bob' })}` },
      'BAD_REQUEST',
      'Bearer realm="app.test", error="invalid_request", error_description="More than one token"',
    ],
    [
      'a second cookie of the same name',
      { token: 'cookie:session' },
      { origin: 'https://app.test', headers: [['Cookie', `session=${valid}; session=x.y.z`]] },
      'BAD_REQUEST',
      'Bearer realm="app.test", error="invalid_request", error_description="More than one token"',
    ],
  ])('%s', async (_, options, request, code, field) => {
    expect(await refusal(options, request)).toEqual([code, field]);
  });

  test('an upgrade with a valid token in a cookie, without an Origin', async () => {
    expect(await refusal({ token: 'cookie:session' }, { ...cookie(valid), key: 'k' })).toEqual([
      'ORIGIN_REFUSED',
      undefined,
    ]);
  });

  test('a plain POST with a valid token in a cookie, without an Origin; opening a page passes', async () => {
    const options = { token: 'cookie:session' };
    expect(await refusal(options, { ...cookie(valid), method: 'POST' })).toEqual([
      'ORIGIN_REFUSED',
      undefined,
    ]);
    await expect(admit(options, cookie(valid))).resolves.toBeDefined();
  });

  test('every token while the keys are not there, without a word about the token', async () => {
    const keyless: TokenVerifier = {
      issuer: main.issuer,
      verify: () => Promise.reject(new GatewayError('KEYS_UNAVAILABLE')),
      ready: false,
      keys: { ageMs: undefined, failures: 0 },
      close() {},
    };
    expect(await refusal({ verifiers: { keyless } }, bearer(valid))).toEqual(['KEYS_UNAVAILABLE', undefined]);
  });

  test('leave the grant as it was', async () => {
    const grant = emptyGrant();
    const check = checkOf({ verifiers: { other } });
    await codeOf(Promise.resolve(check(requestOf(bearer(valid)), grant)));
    expect(grant).toEqual(emptyGrant());
  });
});

describe('the tokens of one address', () => {
  const codeFrom = (verifications: Verifications, token: string, from = '192.0.2.1') =>
    admit({ verifications }, { ...bearer(token), clientAddress: from }).then(
      () => 'admitted',
      (error: unknown) => (error as GatewayError).code,
    );

  test.each([
    ['that cannot be read', 'a.b.c'],
    ['with a wrong signature', mint(otherKey)],
  ])('%s are not looked at without end', async (_, bad) => {
    const verifications = new Verifications({ failures: 3, failuresPerSecond: 0.001 });
    const codes: string[] = [];
    for (let turn = 0; turn < 5; turn += 1) codes.push(await codeFrom(verifications, bad));
    expect(codes.slice(0, 3)).not.toContain('RATE_LIMITED');
    expect(codes.slice(3)).toEqual(['RATE_LIMITED', 'RATE_LIMITED']);
    expect(await codeFrom(verifications, bad, '192.0.2.2')).not.toBe('RATE_LIMITED');
  });

  test('that have expired are told so each time, at the cost of one signature', async () => {
    const proofs = vi.spyOn(crypto.subtle, 'verify');
    onTestFinished(() => proofs.mockRestore());
    const verifications = new Verifications({ failures: 1, failuresPerSecond: 0.001 });
    const expired = mint(key, { exp: NOW_S - 60, jti: 'expired' });
    for (let turn = 0; turn < 5; turn += 1)
      expect(await codeFrom(verifications, expired)).toBe('TOKEN_EXPIRED');
    expect(proofs).toHaveBeenCalledTimes(1);
  });

  test('that are known to be good are let in however many bad ones there were', async () => {
    const verifications = new Verifications({ failures: 1, failuresPerSecond: 0.001 });
    const known = mint(key, { jti: 'known' });
    expect(await codeFrom(verifications, known)).toBe('admitted');
    expect(await codeFrom(verifications, 'a.b.c')).toBe('TOKEN_INVALID');
    expect(await codeFrom(verifications, known)).toBe('admitted');
    expect(await codeFrom(verifications, mint(key, { jti: 'new' }))).toBe('RATE_LIMITED');
  });

  test('give their place back, good or bad', async () => {
    const verifications = new Verifications({ inFlight: 1 });
    for (let turn = 0; turn < 3; turn += 1) {
      expect(await codeFrom(verifications, mint(key, { jti: `place-${turn}` }))).toBe('admitted');
      expect(await codeFrom(verifications, mint(otherKey))).toBe('TOKEN_INVALID');
    }
  });
});

describe('several issuers', () => {
  const verifiers = { main, other };

  test('are chosen among by iss', async () => {
    const theirs = mint(otherKey, { iss: OTHER, sub: 'olga' });
    await expect(admit({ verifiers }, bearer(valid))).resolves.toMatchObject({ subject: 'alice' });
    await expect(admit({ verifiers }, bearer(theirs))).resolves.toMatchObject({ subject: 'olga' });
  });

  test.each([
    ['an iss nobody has', mint(key, { iss: 'https://nobody.test/' })],
    ['no iss', mint(key, { iss: undefined })],
    ['an iss in a list', mint(key, { iss: [main.issuer] })],
    ["one issuer's iss with another's key", mint(otherKey)],
    ['no token at all', 'hello'],
    ['no claims', 'e30.bnVsbA.AAAA'],
    ['9 KiB', mint(key, { pad: 'x'.repeat(9_000) })],
  ])('refuse %s', async (_, token) => {
    expect((await refusal({ verifiers }, bearer(token)))[0]).toBe('TOKEN_INVALID');
  });

  test('of one iss are tried in turn, as when an issuer changes its kind of key', async () => {
    const both = { main, next };
    await expect(admit({ verifiers: both }, bearer(valid))).resolves.toBeDefined();
    await expect(admit({ verifiers: both }, bearer(mint(otherKey)))).resolves.toBeDefined();
    const stranger = mint(signingKey('HS256', 'of nobody'));
    expect((await refusal({ verifiers: both }, bearer(stranger)))[0]).toBe('TOKEN_INVALID');
  });

  test('of one iss give the reason that says most', async () => {
    const both = { main, next };
    const exp = NOW_S - 60;
    expect((await refusal({ verifiers: both }, bearer(mint(key, { exp }))))[0]).toBe('TOKEN_EXPIRED');
    expect((await refusal({ verifiers: both }, bearer(mint(otherKey, { exp }))))[0]).toBe('TOKEN_EXPIRED');
  });

  test('are asked only about tokens with their iss', async () => {
    const asked: string[] = [];
    await refusal({ verifiers: { main, spy: spy(OTHER, asked) } }, bearer(unsigned({ alg: 'HS256' })));
    expect(asked).toEqual([]);
  });

  test('do not matter where there is one: its keys are asked before any claim is read', async () => {
    const asked: string[] = [];
    await refusal({ verifiers: { spy: spy(OTHER, asked) } }, bearer(valid));
    expect(asked).toEqual([valid]);
  });

  test('must all be there when the gateway starts', () => {
    const auth = { issuer: ['main', 'nobody'], token: [], require: {} } as unknown as AuthConfig;
    const deps = { verifiers: new Map([['main', main]]), verifications: new Verifications() };
    expect(() => checkToken(auth, deps)).toThrow('there is no issuer named nobody');
  });
});

describe('what strangers may cost', () => {
  const refusals = async (options: Options, token: string) => {
    const codes: unknown[] = [];
    for (let time = 0; time < 4; time++)
      codes.push(await codeOf(Promise.resolve(checkOf(options)(requestOf(bearer(token)), emptyGrant()))));
    return codes;
  };
  const bounded = () => ({
    verifications: new Verifications({ failures: 2, failuresPerSecond: 1, now: () => 0 }),
  });

  test('is bounded: after some bad tokens further ones are not looked at', async () => {
    const forged = mint(otherKey);
    expect(await refusals(bounded(), forged)).toEqual([
      'TOKEN_INVALID',
      'TOKEN_INVALID',
      'RATE_LIMITED',
      'RATE_LIMITED',
    ]);
  });

  test('is bounded for tokens of no issuer of the route too', async () => {
    const strange = mint(key, { iss: 'https://nobody.test/' });
    expect(await refusals({ ...bounded(), verifiers: { main, other } }, strange)).toEqual([
      'TOKEN_INVALID',
      'TOKEN_INVALID',
      'RATE_LIMITED',
      'RATE_LIMITED',
    ]);
  });

  test('is not what API keys cost: unknown ones are refused, and leave its tokens alone', async () => {
    const { verifications } = bounded();
    const options = { verifications, keys: { find: () => undefined } };
    expect(await refusals(options, 'sp_unknown')).toEqual(Array.from({ length: 4 }, () => 'TOKEN_INVALID'));
    await expect(admit(options, bearer(mint(key, { jti: 'after bad keys' })))).resolves.toBeDefined();
  });

  test('is not what clients cost whose tokens have expired', async () => {
    const expired = mint(key, { exp: NOW_S - 60 });
    expect(await refusals(bounded(), expired)).toEqual(Array.from({ length: 4 }, () => 'TOKEN_EXPIRED'));
  });
});
