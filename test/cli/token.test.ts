import { createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { join } from 'node:path';
import { decodeJwt, decodeProtectedHeader, jwtVerify } from 'jose';
import { describe, expect, test } from 'vitest';
import { folderWith, sallyport } from '../support/cli.ts';
import { sampleConfig } from '../support/config.ts';

const SECRET = 'x'.repeat(32);
const BASE = ['token', '--issuer', 'https://id.example', '--audience', 'app'];
const WITH_SECRET = [...BASE, '--secret', SECRET];

/** The token that stands alone on stdout. */
async function minted(argv: readonly string[], env: Record<string, string> = {}): Promise<string> {
  const { code, out, err } = await sallyport(argv, env);
  expect({ code, err }).toEqual({ code: 0, err: '' });
  expect(out).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+\n$/);
  return out.trim();
}

async function refused(argv: readonly string[], env: Record<string, string> = {}): Promise<string> {
  const { code, out, err } = await sallyport(argv, env);
  expect({ code, out }).toEqual({ code: 2, out: '' });
  expect(err).not.toMatch(/^ +at /m);
  return err;
}

async function keyFile(key: KeyObject): Promise<string> {
  const pem = key.export({ format: 'pem', type: 'pkcs8' }) as string;
  return join(await folderWith({ 'key.pem': pem }), 'key.pem');
}

describe('a token', () => {
  test('says what it was asked to say', async () => {
    const claims = [
      '--claim',
      'scope=chat',
      '--claim',
      'level=5',
      '--claim',
      'groups=["a","b"]',
      '--claim',
      'eq=a=b',
    ];
    const token = await minted([...WITH_SECRET, '--subject', 'alice', ...claims]);
    const { payload } = await jwtVerify(token, Buffer.from(SECRET), {
      issuer: 'https://id.example',
      audience: 'app',
    });
    expect(payload).toMatchObject({ sub: 'alice', scope: 'chat', level: 5, groups: ['a', 'b'], eq: 'a=b' });
    expect(Number(payload.exp) - Number(payload.iat)).toBe(3600);
  });

  test('lasts as long as it should, or has ended already', async () => {
    const { exp, iat } = decodeJwt(await minted([...WITH_SECRET, '--expires', '15m']));
    expect(Number(exp) - Number(iat)).toBe(900);
    const old = await minted([...WITH_SECRET, '--expires', '-1h']);
    await expect(jwtVerify(old, Buffer.from(SECRET))).rejects.toThrow(/exp/);
    expect(decodeJwt(old).iat).toBe(decodeJwt(old).exp);
  });

  test.each([
    ['ES256', () => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey],
    ['ES384', () => generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey],
    ['RS256', () => generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey],
    ['EdDSA', () => generateKeyPairSync('ed25519').privateKey],
  ])('is signed with %s where the key suits that', async (alg, makeKey) => {
    const key = makeKey();
    const token = await minted([...BASE, '--key', await keyFile(key)]);
    expect(decodeProtectedHeader(token).alg).toBe(alg);
    await jwtVerify(token, createPublicKey(key));
  });

  test('is signed with another algorithm if asked', async () => {
    const token = await minted([...BASE, '--secret', 'x'.repeat(64), '--alg', 'HS512']);
    expect(decodeProtectedHeader(token).alg).toBe('HS512');
  });
});

describe('a token from a configuration', () => {
  const KEYS = 'algorithms: [ES256], jwks: https://id.example.com/keys';
  const text = sampleConfig({
    top: '  ro: { issuer: ro, audience: app, algorithms: [ES256], jwks: https://ro/keys }',
  }).replace(KEYS, `algorithms: [HS384], secret: "\${JWT_SECRET}"`);
  const env = { JWT_SECRET: 'y'.repeat(48) };

  test('has its issuer, audience, algorithm and secret', async () => {
    const file = join(await folderWith({ 'gate.yaml': text }), 'gate.yaml');
    const token = await minted(['token', '--config', file, '--for', 'main'], env);
    const expected = { issuer: 'https://id.example.com/', audience: 'app', algorithms: ['HS384'] };
    await jwtVerify(token, Buffer.from(env.JWT_SECRET), expected);
  });

  test('is for nobody in particular where its issuer says no audience', async () => {
    const gate = text.replace('audience: app', 'audience: none');
    const file = join(await folderWith({ 'gate.yaml': gate }), 'gate.yaml');
    const token = await minted(['token', '--config', file, '--for', 'main'], env);
    expect(decodeJwt(token)).not.toHaveProperty('aud');
  });

  test('needs to know which issuer', async () => {
    const file = join(await folderWith({ 'gate.yaml': text }), 'gate.yaml');
    expect(await refused(['token', '--config', file], env)).toBe(
      'sallyport: --for: which issuer? main, ro\n',
    );
    expect(await refused(['token', '--config', file, '--for', 'mian'], env)).toMatch(
      /no issuer mian .*did you mean main\?/,
    );
    expect(await refused(['token', '--config', file, '--for', 'constructor'], env)).toMatch(
      /no issuer constructor/,
    );
  });

  test('needs the private key where the configuration has public ones', async () => {
    const file = join(await folderWith({ 'gate.yaml': text }), 'gate.yaml');
    expect(await refused(['token', '--config', file, '--for', 'ro'], env)).toMatch(
      /no secret: sign with --key FILE/,
    );
    const key = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
    const token = await minted(['token', '--config', file, '--for', 'ro', '--key', await keyFile(key)], env);
    await jwtVerify(token, createPublicKey(key), { issuer: 'ro', audience: 'app' });
  });
});

describe('refused is', () => {
  test.each([
    [['token'], /--issuer and --audience, or --config FILE/],
    [BASE, /what to sign with: --secret or --key/],
    [[...WITH_SECRET, '--key', 'x'], /--secret and --key exclude one another/],
    [[...BASE, '--secret', ''], /what to sign with/],
    [[...BASE, '--key', '/nowhere'], /--key: cannot read \/nowhere \(ENOENT\)/],
    [[...BASE, '--key', 'package.json'], /--key: package.json is not a private key in PEM form/],
    [[...WITH_SECRET, '--alg', 'RS256'], /cannot sign with RS256/],
    [[...WITH_SECRET, '--alg', 'none'], /cannot sign with none/],
  ])('%j', async (argv, expected) => expect(await refused(argv)).toMatch(expected));

  test('without telling the secret', async () => {
    expect(await refused([...WITH_SECRET, '--alg', 'ES256'])).not.toContain(SECRET);
  });
});
