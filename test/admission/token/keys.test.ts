import { sign } from 'node:crypto';
import { generate } from 'selfsigned';
import { describe, expect, test } from 'vitest';
import { openKeys } from '../../../src/admission/token/keys.ts';
import { createVerifier } from '../../../src/admission/token/verifier.ts';
import type { IssuerConfig } from '../../../src/config/schema.ts';
import { fileWith } from '../../support/files.ts';
import {
  codeOf,
  issuer,
  jwk,
  keySet,
  mint,
  NOW_MS,
  pem,
  rsaKey,
  type SigningKey,
  signingKey,
} from '../../support/tokens.ts';

const now = () => NOW_MS;
const ES256 = signingKey('ES256');

async function openPem(text: string, algorithms: IssuerConfig['algorithms'] = ['ES256']) {
  return createVerifier(issuer({ publicKey: await fileWith(text), algorithms }), { now });
}

async function openSet(text: string, algorithms: IssuerConfig['algorithms'] = ['ES256']) {
  return createVerifier(issuer({ jwks: await fileWith(text), algorithms }), { now });
}

describe('a public key in a file', () => {
  test('may be a certificate', async () => {
    const { cert, private: key } = await generate([{ name: 'commonName', value: 'id.test' }], {
      keyType: 'ec',
      curve: 'P-256',
    });
    const signer: SigningKey = {
      alg: 'ES256',
      sign: (input) => sign('sha256', Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' }),
    };
    await expect((await openPem(cert)).verify(mint(signer))).resolves.toBeDefined();
  });

  test('serves every pinned algorithm it fits', async () => {
    const rs = signingKey('RS256');
    const verifier = await openPem(pem(rs), ['RS256', 'PS256']);
    await expect(verifier.verify(mint(rs))).resolves.toBeDefined();
  });

  test('is used whatever kid a token names', async () => {
    const verifier = await openPem(pem(ES256));
    for (const kid of ['../../etc/passwd', "' OR 1=1", '__proto__', 'constructor', ''])
      await expect(verifier.verify(mint(ES256, {}, { kid }))).resolves.toBeDefined();
  });

  test('is none for an algorithm that is not pinned', async () => {
    const keys = await openKeys(issuer({ publicKey: await fileWith(pem(ES256)), algorithms: ['ES256'] }));
    expect(await keys.find({ alg: 'ES256', kid: undefined })).toHaveLength(1);
    expect(await keys.find({ alg: 'RS256', kid: undefined })).toEqual([]);
  });

  test('is ready at once, and closes twice', async () => {
    const verifier = await openPem(pem(ES256));
    expect(verifier.ready).toBe(true);
    verifier.close();
    verifier.close();
  });

  test.each([
    ['another curve', pem(signingKey('ES384')), ['ES256'] as const],
    ['another kind of key', pem(signingKey('RS256')), ['ES256'] as const],
    ['one of two algorithms it does not fit', pem(ES256), ['ES256', 'ES384'] as const],
    ['RSA of 1024 bits', pem(rsaKey('RS256', 1024)), ['RS256'] as const],
    ['no PEM', 'hello', ['ES256'] as const],
  ])('is refused at start: %s', async (_, text, algorithms) => {
    await expect(openPem(text, [...algorithms])).rejects.toThrow(/^publicKey .*: not a public key for/);
  });

  test('is refused at start if it is the private one', async () => {
    const { private: key } = await generate([{ name: 'commonName', value: 'id.test' }], { keyType: 'ec' });
    await expect(openPem(key)).rejects.toThrow('this is a private key');
  });

  test('is refused at start if it cannot be read', async () => {
    await expect(createVerifier(issuer({ publicKey: '/nowhere/key.pem' }))).rejects.toThrow('ENOENT');
  });
});

describe('a key set in a file', () => {
  const other = signingKey('ES256');

  test('gives the key a kid names, and no other', async () => {
    const verifier = await openSet(keySet(jwk(ES256, { kid: 'a' }), jwk(other, { kid: 'b' })));
    await expect(verifier.verify(mint(other, {}, { kid: 'b' }))).resolves.toBeDefined();
    await expect(codeOf(verifier.verify(mint(other, {}, { kid: 'a' })))).resolves.toBe('TOKEN_INVALID');
  });

  test('has its keys tried in turn for a token without kid', async () => {
    const verifier = await openSet(keySet(jwk(ES256, { kid: 'a' }), jwk(other)));
    await expect(verifier.verify(mint(ES256))).resolves.toBeDefined();
    await expect(verifier.verify(mint(other))).resolves.toBeDefined();
    const stranger = mint(signingKey('ES256'));
    await expect(codeOf(verifier.verify(stranger))).resolves.toBe('TOKEN_INVALID');
  });

  test.each(['__proto__', 'constructor', 'toString', '../a', "a' OR '1'='1", 'k'.repeat(128)])(
    'finds nothing under the kid %s',
    async (kid) => {
      const verifier = await openSet(keySet(jwk(ES256, { kid: 'a' })));
      await expect(codeOf(verifier.verify(mint(ES256, {}, { kid })))).resolves.toBe('TOKEN_INVALID');
    },
  );

  test('passes over keys it may not use', async () => {
    const weak = rsaKey('RS256', 1024);
    const strong = signingKey('RS256');
    const set = keySet(
      jwk(strong, { kid: 'enc', use: 'enc' }),
      { kty: 'oct', k: 'c2VjcmV0', kid: 'oct' },
      { kty: 'new', kid: 'new' },
      jwk(weak, { kid: 'weak' }),
      jwk(strong, { kid: 'strong' }),
    );
    const verifier = await openSet(set, ['RS256']);
    await expect(verifier.verify(mint(strong, {}, { kid: 'strong' }))).resolves.toBeDefined();
    await expect(verifier.verify(mint(strong))).resolves.toBeDefined();
    for (const kid of ['enc', 'oct', 'new'])
      await expect(codeOf(verifier.verify(mint(strong, {}, { kid })))).resolves.toBe('TOKEN_INVALID');
    await expect(codeOf(verifier.verify(mint(weak, {}, { kid: 'weak' })))).resolves.toBe('TOKEN_INVALID');
  });

  test.each([
    ['no JSON', 'hello'],
    ['no key set', '{"keys":{}}'],
    ['an empty key set', keySet()],
    ['keys for other algorithms only', keySet(jwk(signingKey('ES384')))],
    ['a secret only', keySet({ kty: 'oct', k: 'c2VjcmV0' })],
  ])('is refused at start: %s', async (_, text) => {
    await expect(openSet(text)).rejects.toThrow(/^jwks .*: not a key set for ES256/);
  });
});
