import { afterEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { RememberedTokens } from '../../../src/admission/token/remembered.ts';
import { createVerifier } from '../../../src/admission/token/verifier.ts';
import { codeOf, issuer, jwk, keySet, mint, NOW_MS, NOW_S, signingKey } from '../../support/tokens.ts';

const ES256 = signingKey('ES256');
const OTHER = signingKey('ES256');
const JWKS = 'https://id.test/jwks.json';
const HOUR_MS = 3_600_000;

const proofs = vi.spyOn(crypto.subtle, 'verify');
afterEach(() => proofs.mockClear());

/** A verifier whose key set and clocks the test moves. `clock.ms` counts from NOW_MS; JWKS are fetched when it passes the refresh. */
async function setUp(changes: Parameters<typeof issuer>[0] = {}) {
  const world = { ms: 0, monotonicMs: 0, set: keySet(jwk(ES256, { kid: 'a' })) as string | undefined };
  const verifier = await createVerifier(issuer({ jwks: JWKS, ...changes }), {
    now: () => NOW_MS + world.ms,
    monotonic: () => world.monotonicMs,
    fetch: async () => new Response(world.set, { status: world.set === undefined ? 503 : 200 }),
  });
  onTestFinished(() => verifier.close());
  /** Waits for the fetch under way: a token with a kid nobody knows does, and causes one once the cool-down is over. */
  async function fetched(): Promise<void> {
    await codeOf(verifier.verify(mint(OTHER, {}, { kid: 'nobody' })));
    proofs.mockClear();
  }
  async function refetch(): Promise<void> {
    world.monotonicMs += 31_000;
    await fetched();
  }
  await fetched();
  return { world, verifier, refetch };
}

const token = mint(ES256, {}, { kid: 'a' });

describe('a token that was verified before', () => {
  test('is not verified again, and says the same', async () => {
    const { verifier } = await setUp();
    const first = await verifier.verify(token);
    expect(await verifier.verify(token)).toEqual(first);
    expect(proofs).toHaveBeenCalledTimes(1);
  });

  test.each([
    ['another signature', `${token.slice(0, -8)}AAAAAAA${token.slice(-1)}`],
    [
      'other claims',
      `${token.split('.')[0]}.${mint(OTHER, { sub: 'eve' }).split('.')[1]}.${token.split('.')[2]}`,
    ],
    ['no signature', `${token.split('.').slice(0, 2).join('.')}.`],
  ])('vouches for none with %s', async (_name, forged) => {
    const { verifier } = await setUp();
    await verifier.verify(token);
    await expect(codeOf(verifier.verify(forged))).resolves.toBe('TOKEN_INVALID');
  });

  test.each([
    ['at exp', { exp: NOW_S + 10 }, 10_000 + 5_000, 'TOKEN_EXPIRED'],
    ['before exp and the tolerance', { exp: NOW_S + 10 }, 10_000 + 4_999, undefined],
    ['when the clock goes back behind nbf', { nbf: NOW_S }, -6_000, 'TOKEN_INVALID'],
    ['when the clock goes back within the tolerance', { nbf: NOW_S }, -5_000, undefined],
    ['when the clock goes back behind iat', { iat: NOW_S }, -6_000, 'TOKEN_INVALID'],
  ])('is judged by the clock: %s', async (_name, changes, ms, code) => {
    const { world, verifier } = await setUp({ clockTolerance: 5_000 });
    const timed = mint(ES256, changes, { kid: 'a' });
    await verifier.verify(timed);
    world.ms = ms;
    const verdict = verifier.verify(timed).then(
      () => undefined,
      (error) => error.code,
    );
    expect(await verdict).toBe(code);
    // What is still good is not verified again.
    if (code === undefined) expect(proofs).toHaveBeenCalledTimes(1);
  });

  test('lasts as long as the tolerance when only that lets it in', async () => {
    const { world, verifier } = await setUp({ clockTolerance: 5_000 });
    const timed = mint(ES256, { exp: NOW_S + 10 }, { kid: 'a' });
    expect((await verifier.verify(timed)).expiresAt).toBe(NOW_MS + 10_000);
    world.ms = 12_000;
    expect((await verifier.verify(timed)).expiresAt).toBe(NOW_MS + 15_000);
    expect(proofs).toHaveBeenCalledTimes(1);
  });
});

describe('when the keys', () => {
  test.each([
    ['are gone from the set', keySet(jwk(OTHER, { kid: 'b' }))],
    ['are others of the same name', keySet(jwk(OTHER, { kid: 'a' }))],
  ])('%s, a token of theirs is refused', async (_name, set) => {
    const { world, verifier, refetch } = await setUp();
    await verifier.verify(token);
    world.set = set;
    await refetch();
    await expect(codeOf(verifier.verify(token))).resolves.toBe('TOKEN_INVALID');
  });

  test('have got company, a token is verified again and remembered anew', async () => {
    const { world, verifier, refetch } = await setUp();
    await verifier.verify(token);
    world.set = keySet(jwk(ES256, { kid: 'a' }), jwk(OTHER, { kid: 'b' }));
    await refetch();
    await verifier.verify(token);
    await verifier.verify(token);
    expect(proofs).toHaveBeenCalledTimes(1);
  });

  test('come again the same, a token need not be verified again', async () => {
    const { verifier, refetch } = await setUp();
    await verifier.verify(token);
    await refetch();
    await verifier.verify(token);
    expect(proofs).not.toHaveBeenCalled();
  });

  test('are too old to be believed, a token is not believed either', async () => {
    const { world, verifier } = await setUp();
    await verifier.verify(token);
    world.set = undefined;
    world.monotonicMs = 25 * HOUR_MS;
    await expect(codeOf(verifier.verify(token))).resolves.toBe('KEYS_UNAVAILABLE');
  });

  test('change while a token is being verified, it is not remembered', async () => {
    const { world, verifier, refetch } = await setUp();
    const verify = crypto.subtle.verify.bind(crypto.subtle);
    proofs.mockImplementationOnce(async (...given: Parameters<typeof verify>) => {
      world.set = keySet(jwk(OTHER, { kid: 'b' }));
      await refetch();
      return verify(...given);
    });
    await verifier.verify(token);
    await expect(codeOf(verifier.verify(token))).resolves.toBe('TOKEN_INVALID');
  });
});

test('what is refused is not remembered', async () => {
  const { verifier } = await setUp();
  for (let i = 0; i < 2; i++)
    await expect(codeOf(verifier.verify(mint(OTHER, {}, { kid: 'a' })))).resolves.toBe('TOKEN_INVALID');
  expect(proofs).toHaveBeenCalledTimes(2);
});

test('a token that has expired is refused as such without being verified again', async () => {
  const { world, verifier } = await setUp();
  await verifier.verify(token);
  world.ms = 2 * HOUR_MS;
  for (let i = 0; i < 2; i++) await expect(codeOf(verifier.verify(token))).resolves.toBe('TOKEN_EXPIRED');
  expect(proofs).toHaveBeenCalledTimes(1);
});

test('two issuers share nothing', async () => {
  const [one, other] = [await setUp(), await setUp({ audience: ['else'] })];
  await one.verifier.verify(token);
  await expect(codeOf(other.verifier.verify(token))).resolves.toBe('TOKEN_INVALID');
});

test('beyond its size the least recently used give way', () => {
  const keys = {};
  const remembered = new RememberedTokens(2);
  remembered.add('a', keys, { claims: { sub: 'a' }, key: undefined });
  remembered.add('b', keys, { claims: { sub: 'b' }, key: undefined });
  remembered.recall('a', keys);
  remembered.add('c', keys, { claims: { sub: 'c' }, key: undefined });
  expect(['a', 'b', 'c'].map((token) => remembered.recall(token, keys)?.claims.sub)).toEqual([
    'a',
    undefined,
    'c',
  ]);
});
