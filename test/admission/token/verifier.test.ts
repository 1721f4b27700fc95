import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createVerifier } from '../../../src/admission/token/verifier.ts';
import { GatewayError } from '../../../src/errors.ts';
import { fileWith } from '../../support/files.ts';
import {
  claims,
  codeOf,
  encode,
  issuer,
  jwk,
  keySet,
  mint,
  mintText,
  NOW_MS,
  NOW_S,
  pem,
  SECRET,
  signingKey,
  unsigned,
} from '../../support/tokens.ts';

const now = () => NOW_MS;
const ES256 = signingKey('ES256');
const HS256 = signingKey('HS256');

async function verifierOf(changes: Parameters<typeof issuer>[0] = {}) {
  return createVerifier(issuer({ publicKey: await fileWith(pem(ES256)), ...changes }), { now });
}

async function secretVerifier(changes: Parameters<typeof issuer>[0] = {}) {
  return createVerifier(issuer({ secret: SECRET, algorithms: ['HS256'], ...changes }), { now });
}

describe('a token that fits', () => {
  test.each(['HS256', 'HS384', 'HS512'])('is verified with a secret by %s', async (alg) => {
    const verifier = await secretVerifier({ algorithms: [alg as 'HS256'] });
    await expect(verifier.verify(mint(signingKey(alg)))).resolves.toMatchObject({ subject: 'alice' });
  });

  test.each([
    ...['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'],
    ...['ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'],
  ])('is verified with a public key by %s', async (alg) => {
    const key = signingKey(alg);
    const fromPem = await verifierOf({ publicKey: await fileWith(pem(key)), algorithms: [alg as 'RS256'] });
    const fromSet = await createVerifier(
      issuer({ jwks: await fileWith(keySet(jwk(key, { kid: 'a' }))), algorithms: [alg as 'RS256'] }),
      { now },
    );
    await expect(fromPem.verify(mint(key))).resolves.toMatchObject({ subject: 'alice' });
    await expect(fromSet.verify(mint(key, {}, { kid: 'a' }))).resolves.toMatchObject({ subject: 'alice' });
  });

  test('gives subject, claims and expiry in milliseconds', async () => {
    const verified = await (await verifierOf()).verify(mint(ES256, { scope: 'chat' }));
    expect(verified).toEqual({
      subject: 'alice',
      claims: claims({ scope: 'chat' }),
      expiresAt: (NOW_S + 3600) * 1000,
      graceMs: 5_000,
      marks: {},
    });
  });

  test.each([
    ['no subject', { sub: undefined }],
    ['one of several audiences', { aud: ['else', 'realtime'] }],
    ['exp within the tolerance', { exp: NOW_S - 4 }],
    ['nbf within the tolerance', { nbf: NOW_S + 4 }],
    ['iat within the tolerance', { iat: NOW_S + 4 }],
    ['a fraction in iat and nbf', { iat: NOW_S - 0.5, nbf: NOW_S - 0.5 }],
    ['a fraction in exp', { exp: NOW_S - 4.5 }],
    ['exp beyond the safe integers', { exp: 2 ** 53 }],
    ['exp beyond what a time can be', { exp: 1.7e308 }],
    ['nbf before there was a clock', { nbf: -1e300 }],
  ])('may have %s', async (_, changes) => {
    await expect((await verifierOf()).verify(mint(ES256, changes))).resolves.toBeDefined();
  });

  test.each([
    ['another audience', { aud: 'something else' }],
    ['several', { aud: ['a', 'b'] }],
    ['no audience', { aud: undefined }],
    ['an audience that is none', { aud: 7 }],
  ])('may have %s where none is asked for', async (_, changes) => {
    await expect((await verifierOf({ audience: [] })).verify(mint(ES256, changes))).resolves.toBeDefined();
  });

  test.each(['jku', 'x5u', 'jwk', 'x5c'])('has no use for %s', async (name) => {
    const stranger = signingKey('ES256');
    const header = { [name]: name === 'jwk' ? jwk(stranger) : 'http://127.0.0.1:1/keys' };
    const verifier = await verifierOf();
    await expect(verifier.verify(mint(ES256, {}, header))).resolves.toBeDefined();
    await expect(codeOf(verifier.verify(mint(stranger, {}, header)))).resolves.toBe('TOKEN_INVALID');
  });

  test('counts the last of two claims of one name, as every reader of it here does', async () => {
    const text = (first: string, last: string) =>
      JSON.stringify(claims({ iss: undefined })).replace('{', `{"iss":"${first}","iss":"${last}",`);
    const verifier = await verifierOf();
    const header = '{"alg":"ES256"}';
    const accepted = mintText(ES256, header, text('https://evil.test/', 'https://id.test/'));
    const refused = mintText(ES256, header, text('https://id.test/', 'https://evil.test/'));
    await expect(verifier.verify(accepted)).resolves.toBeDefined();
    await expect(codeOf(verifier.verify(refused))).resolves.toBe('TOKEN_INVALID');
  });
});

describe('claims that do not fit', () => {
  test.each([
    ['another issuer', { iss: 'https://id.test' }],
    ['no issuer', { iss: undefined }],
    ['a list of issuers', { iss: ['https://id.test/'] }],
    ['another audience', { aud: 'realtime2' }],
    ['no audience', { aud: undefined }],
    ['an audience that only contains ours', { aud: 'realtime other' }],
    ['no exp', { exp: undefined }],
    ['exp as a string', { exp: String(NOW_S + 3600) }],
    ['exp as null', { exp: null }],
    ['exp as a list', { exp: [NOW_S + 3600] }],
    ['nbf to come by a fraction', { nbf: NOW_S + 5.001 }],
    ['nbf to come', { nbf: NOW_S + 6 }],
    ['nbf as a string', { nbf: String(NOW_S) }],
    ['iat to come', { iat: NOW_S + 6 }],
    ['iat as a string', { iat: String(NOW_S) }],
    ['a number for a subject', { sub: 42 }],
  ])('refuses %s', async (_, changes) => {
    await expect(codeOf((await verifierOf()).verify(mint(ES256, changes)))).resolves.toBe('TOKEN_INVALID');
  });

  test.each([NOW_S - 5, NOW_S - 5.001, 0, -0.5, -1e300])('refuses exp %d as expired', async (exp) => {
    await expect(codeOf((await verifierOf()).verify(mint(ES256, { exp })))).resolves.toBe('TOKEN_EXPIRED');
  });

  test.each([
    ['before exp', { exp: NOW_S + 0.7 }, 699, undefined],
    ['at exp', { exp: NOW_S + 0.7 }, 700, 'TOKEN_EXPIRED'],
    ['before nbf', { nbf: NOW_S + 0.7 }, 699, 'TOKEN_INVALID'],
    ['at nbf', { nbf: NOW_S + 0.7 }, 700, undefined],
  ])('counts fractions of a second where there is no tolerance: %s', async (_, changes, ms, code) => {
    const key = await fileWith(pem(ES256));
    const options = { now: () => NOW_MS + ms };
    const verifier = await createVerifier(issuer({ publicKey: key, clockTolerance: 0 }), options);
    const verdict = verifier.verify(mint(ES256, changes)).then(
      () => undefined,
      (error) => error.code,
    );
    expect(await verdict).toBe(code);
  });

  test.each([
    ['exp', '1e400'],
    ['nbf', '-1e400'],
    ['iat', '-1e400'],
  ])('refuses %s as %s, which JSON reads as an infinity', async (name, number) => {
    const payload = JSON.stringify(claims({ [name]: 'here' })).replace('"here"', number);
    const token = mintText(ES256, '{"alg":"ES256"}', payload);
    await expect(codeOf((await verifierOf()).verify(token))).resolves.toBe('TOKEN_INVALID');
  });

  test.each(['[]', '"text"', 'null', '42', '', '{', '\u0000'])('refuses the payload %j', async (payload) => {
    const token = mintText(ES256, '{"alg":"ES256"}', payload);
    await expect(codeOf((await verifierOf()).verify(token))).resolves.toBe('TOKEN_INVALID');
  });

  test('let in by the clock tolerance, ends with the tolerance', async () => {
    const verifier = await verifierOf({ clockTolerance: 5_000 });
    const { expiresAt } = await verifier.verify(mint(ES256, { exp: NOW_S - 2 }));
    expect(expiresAt).toBe((NOW_S + 3) * 1000);
  });

  test('says that a token has expired, but only of one it signed', async () => {
    const verifier = await verifierOf();
    const exp = NOW_S - 5;
    await expect(codeOf(verifier.verify(mint(ES256, { exp })))).resolves.toBe('TOKEN_EXPIRED');
    await expect(codeOf(verifier.verify(mint(signingKey('ES256'), { exp })))).resolves.toBe('TOKEN_INVALID');
  });

  test('follows the clock it is given', async () => {
    let ms = NOW_MS;
    const verifier = await createVerifier(issuer({ publicKey: await fileWith(pem(ES256)) }), {
      now: () => ms,
    });
    const token = mint(ES256);
    await verifier.verify(token);
    ms += 2 * 3_600_000;
    await expect(codeOf(verifier.verify(token))).resolves.toBe('TOKEN_EXPIRED');
  });
});

describe('forged signatures', () => {
  test.each(['none', 'None', 'NONE', ''])('refuses alg %j', async (alg) => {
    const verifier = await verifierOf();
    await expect(codeOf(verifier.verify(unsigned({ alg }, '')))).resolves.toBe('TOKEN_INVALID');
    await expect(codeOf(verifier.verify(unsigned({ alg })))).resolves.toBe('TOKEN_INVALID');
  });

  test('refuses an HMAC made with the public key as its secret', async () => {
    const rs = signingKey('RS256');
    const text = pem(rs);
    const verifier = await verifierOf({ publicKey: await fileWith(text), algorithms: ['RS256'] });
    const der = rs.publicKey?.export({ type: 'spki', format: 'der' }) as Buffer;
    for (const secret of [text, text.trim(), ` ${text}`, der])
      await expect(codeOf(verifier.verify(mint(signingKey('HS256', secret))))).resolves.toBe('TOKEN_INVALID');
  });

  test('refuses an algorithm of the same key that is not pinned', async () => {
    const rs = signingKey('RS256');
    const verifier = await verifierOf({ publicKey: await fileWith(pem(rs)), algorithms: ['PS256'] });
    await expect(codeOf(verifier.verify(mint(rs)))).resolves.toBe('TOKEN_INVALID');
  });

  test('refuses a header that says another algorithm than was signed with', async () => {
    const verifier = await secretVerifier({ algorithms: ['HS256', 'HS384'] });
    const token = mint(HS256, {}, { alg: 'HS384' });
    await expect(codeOf(verifier.verify(token))).resolves.toBe('TOKEN_INVALID');
  });

  test('refuses an ES256 signature of nothing but zeros', async () => {
    await expect(codeOf((await verifierOf()).verify(unsigned({ alg: 'ES256' })))).resolves.toBe(
      'TOKEN_INVALID',
    );
  });

  test.each([0, 1, 63, 65, 128])('refuses an ES256 signature of %i bytes', async (length) => {
    const token = unsigned({ alg: 'ES256' }, Buffer.alloc(length, 1));
    await expect(codeOf((await verifierOf()).verify(token))).resolves.toBe('TOKEN_INVALID');
  });

  test('refuses claims changed after signing', async () => {
    const [header, , signature] = mint(ES256).split('.');
    const token = `${header}.${encode(JSON.stringify(claims({ sub: 'mallory' })))}.${signature}`;
    await expect(codeOf((await verifierOf()).verify(token))).resolves.toBe('TOKEN_INVALID');
  });

  test('refuses the signature of another secret', async () => {
    const token = mint(signingKey('HS256', `${SECRET}!`));
    await expect(codeOf((await secretVerifier()).verify(token))).resolves.toBe('TOKEN_INVALID');
  });
});

describe('tokens of no good form', () => {
  const valid = mint(ES256);
  test.each([
    ['nothing', ''],
    ['two parts', valid.split('.').slice(0, 2).join('.')],
    ['four parts', `${valid}.x`],
    ['five parts, as encryption has', `${valid}.x.x`],
    ['an empty part', '.x.y'],
    ['spaces', ` ${valid}`],
    ['a line break', `${valid}\n`],
    ['padding', `${valid}=`],
    ['plain base64', valid.replace(/.$/, '+')],
    ['no JSON in the header', mintText(ES256, '{', '{}')],
    ['a list for a header', mintText(ES256, '[]', '{}')],
    ['null for a header', mintText(ES256, 'null', '{}')],
    ['no algorithm', mint(ES256, {}, { alg: undefined })],
    ['a list of algorithms', mint(ES256, {}, { alg: ['ES256'] })],
    ['crit', mint(ES256, {}, { crit: ['exp'], exp: 1 })],
    ['an empty crit', mint(ES256, {}, { crit: [] })],
    ['b64', mint(ES256, {}, { b64: true })],
    ['b64 with crit', mint(ES256, {}, { b64: false, crit: ['b64'] })],
    ['enc', mint(ES256, {}, { enc: 'A256GCM' })],
    ['zip bombs', mint(ES256, {}, { alg: 'dir', enc: 'A256GCM', zip: 'DEF' })],
    ['a token within a token', mintText(ES256, '{"alg":"ES256","cty":"JWT"}', valid)],
    ['a kid of 129 characters', mint(ES256, {}, { kid: 'k'.repeat(129) })],
    ['a number for a kid', mint(ES256, {}, { kid: 1 })],
    ['null for a kid', mint(ES256, {}, { kid: null })],
    ['an object for a kid', mint(ES256, {}, { kid: { toString: 'a' } })],
  ])('refuses %s', async (_, token) => {
    await expect(codeOf((await verifierOf()).verify(token))).resolves.toBe('TOKEN_INVALID');
  });

  test('takes 8 KiB and not more', async () => {
    const verifier = await secretVerifier();
    const padded = (length: number) => mint(HS256, { pad: 'x'.repeat(length) });
    let length = 5_000;
    while (padded(length + 1).length <= 8192) length += 1;
    expect(padded(length).length).toBeGreaterThan(8190);
    await expect(verifier.verify(padded(length))).resolves.toBeDefined();
    await expect(codeOf(verifier.verify(padded(length + 1)))).resolves.toBe('TOKEN_INVALID');
  });

  test('never throws anything but a GatewayError, and never with the token in it', async () => {
    const verifier = await secretVerifier();
    const part = fc.oneof(fc.json().map(encode), fc.string(), fc.base64String());
    const tokens = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.array(part, { maxLength: 6 }).map((parts) => parts.join('.')),
      fc.json().map((payload) => mintText(HS256, '{"alg":"HS256"}', payload)),
      fc.json().map((header) => mintText(HS256, header, JSON.stringify(claims()))),
      fc
        .record({ alg: fc.constant('HS256'), kid: fc.anything(), crit: fc.anything(), typ: fc.anything() })
        .map((header) => mintText(HS256, JSON.stringify(header) ?? '', JSON.stringify(claims()))),
    );
    await fc.assert(
      fc.asyncProperty(tokens, async (token) => {
        const error = await verifier.verify(token).then(
          () => undefined,
          (thrown: unknown) => thrown,
        );
        if (error === undefined) return;
        expect(error).toBeInstanceOf(GatewayError);
        const { message, detail, cause } = error as GatewayError;
        expect(cause).toBeUndefined();
        if (token.length > 20) expect(`${message} ${detail}`).not.toContain(token.slice(0, 20));
      }),
      { numRuns: 500 },
    );
  });
});
