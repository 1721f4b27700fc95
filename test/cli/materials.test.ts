import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { join } from 'node:path';
import { generate } from 'selfsigned';
import { describe, expect, test } from 'vitest';
import { folderWith, sallyport } from '../support/cli.ts';
import { sampleConfig } from '../support/config.ts';

const KEYS = 'jwks: https://id.example.com/keys';
const TLS = 'port: 8080, tls: { certificates: [{ cert: it.crt, key: it.key }] }';

const pem = (key: KeyObject, type: 'spki' | 'pkcs8') => key.export({ format: 'pem', type }) as string;
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });

/** What `check` says of a configuration with these files beside it. */
async function checked(config: string, files: Record<string, string>) {
  const folder = await folderWith({ ...files, 'gate.yaml': config });
  return sallyport(['check', join(folder, 'gate.yaml')]);
}

describe('certificates', () => {
  const config = sampleConfig().replace('port: 8080', TLS);

  test('that go with their key are in order', async () => {
    const { cert, private: key } = await generate([{ name: 'commonName', value: 'localhost' }]);
    expect(await checked(config, { 'it.crt': cert, 'it.key': key })).toMatchObject({ code: 0, err: '' });
  });

  test('that do not are told, with every other file that cannot be used', async () => {
    const { cert } = await generate([{ name: 'commonName', value: 'localhost' }]);
    const files = { 'it.crt': cert, 'it.key': pem(ec.privateKey, 'pkcs8'), 'keys.json': '{}' };
    const { code, out, err } = await checked(config.replace(KEYS, 'jwks: keys.json'), files);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toMatch(
      /^sallyport: the private key \S+it.key does not belong to the certificate \S+it.crt: write both of one renewal\njwks \S+keys.json: not a key set/,
    );
  });
});

test('a file of API keys that cannot be used is told with its places', async () => {
  const config = sampleConfig().replace(
    'auth: { issuer: main }',
    'auth: { issuer: main, keys: file:api.yaml }',
  );
  const { code, out, err } = await checked(config, { 'api.yaml': '# ours\n- { name: ci }\n' });
  expect({ code, out }).toEqual({ code: 2, out: '' });
  expect(err).toMatch(
    /api.yaml has a problem:\n {2}\S+api.yaml:2:3 \[0\].hash: is missing; expected sha256:/,
  );
  expect(await checked(config, { 'api.yaml': '# none yet\n' })).toMatchObject({ code: 0 });
});

describe('certificates for upstreams', () => {
  const config = (tls: string) =>
    sampleConfig().replace('ws://127.0.0.1:3000', `wss://127.0.0.1:3000, tls: { ${tls} }`);
  const ALL = config('ca: ca.pem, cert: me.crt, key: me.key');

  test('that go with their key are in order', async () => {
    const { cert, private: key } = await generate([{ name: 'commonName', value: 'gate' }]);
    const files = { 'ca.pem': cert, 'me.crt': cert, 'me.key': key };
    expect(await checked(ALL, files)).toMatchObject({ code: 0, err: '' });
  });

  test('that do not are told', async () => {
    const { cert } = await generate([{ name: 'commonName', value: 'gate' }]);
    const files = { 'ca.pem': cert, 'me.crt': cert, 'me.key': pem(ec.privateKey, 'pkcs8') };
    const { code, err } = await checked(ALL, files);
    expect(code).toBe(2);
    expect(err).toMatch(
      /^sallyport: the private key \S+me.key does not belong to the certificate \S+me.crt: write both of one renewal\n$/,
    );
  });

  test('that have run out are told', async () => {
    const { cert, private: key } = await generate([{ name: 'commonName', value: 'gate' }], {
      notBeforeDate: new Date('2001-01-01'),
      notAfterDate: new Date('2002-01-01'),
    });
    const { err } = await checked(config('cert: me.crt, key: me.key'), { 'me.crt': cert, 'me.key': key });
    expect(err).toMatch(/^sallyport: the certificate \S+me.crt expired on Jan {2}1 .* 2002 GMT; renew it\n$/);
  });

  test('and authorities that are none are told', async () => {
    const { code, err } = await checked(config('ca: ca.pem'), { 'ca.pem': 'hello' });
    expect([code, err]).toEqual([2, expect.stringMatching(/ca.pem is not a certificate in PEM form/)]);
  });

  test('that cannot be read are told with their line', async () => {
    const { code, err } = await checked(config('cert: me.crt, key: me.key'), { 'me.crt': 'x' });
    expect(code).toBe(2);
    expect(err).toMatch(
      /gate.yaml:9:\d+ routes\[0\].upstream.tls.key: cannot read \S+me.key; there is no such/,
    );
  });
});

describe('certificates that are about to expire are told of, with their place', () => {
  const inDays = (days: number) => ({ notAfterDate: new Date(Date.now() + days * 86_400_000 + 60_000) });
  const ending = async (days: number) => {
    const { cert, private: key } = await generate([{ name: 'commonName', value: 'x' }], inDays(days));
    return { cert, key };
  };

  test('of a listener', async () => {
    const config = sampleConfig().replace('port: 8080', TLS);
    const { cert, key } = await ending(13);
    const { code, err } = await checked(config, { 'it.crt': cert, 'it.key': key });
    expect(code).toBe(0);
    expect(err).toMatch(
      /^warning: \S+gate.yaml:1:\d+ listeners\[0\].tls.certificates\[0\].cert: the certificate expires in 13 days: renew it\n$/,
    );
  });

  test('of the authorities of clients', async () => {
    const config = sampleConfig().replace('port: 8080', TLS.replace('] }', '], clientCa: ca.crt }'));
    const [own, ca] = await Promise.all([ending(15), ending(0)]);
    const { err } = await checked(config, { 'it.crt': own.cert, 'it.key': own.key, 'ca.crt': ca.cert });
    expect(err).toMatch(
      /^warning: \S+gate.yaml:1:\d+ listeners\[0\].tls.clientCa: the certificate expires in less than a day: renew it\n$/,
    );
  });

  test('of those for upstreams', async () => {
    const tls = 'wss://127.0.0.1:3000, tls: { cert: me.crt, key: me.key }';
    const { cert, key } = await ending(1);
    const { err } = await checked(sampleConfig().replace('ws://127.0.0.1:3000', tls), {
      'me.crt': cert,
      'me.key': key,
    });
    expect(err).toMatch(/routes\[0\].upstream.tls.cert: the certificate expires in 1 day: renew it\n$/);
  });
});

describe('public keys', () => {
  const config = sampleConfig().replace(KEYS, 'publicKey: it.pem');

  test('that suit the algorithms are in order', async () => {
    expect(await checked(config, { 'it.pem': pem(ec.publicKey, 'spki') })).toMatchObject({
      code: 0,
      err: '',
    });
  });

  test.each([
    ['of another kind', pem(rsa.publicKey, 'spki'), /not a public key for ES256/],
    ['that are private', pem(ec.privateKey, 'pkcs8'), /this is a private key/],
    ['that are none', 'hello', /not a public key for ES256/],
  ])('%s are refused', async (_, text, expected) => {
    const { code, err } = await checked(config, { 'it.pem': text });
    expect(code).toBe(2);
    expect(err).toMatch(expected);
  });
});

describe('the gateway’s own credentials', () => {
  const own = '{ header: x-key, value: file:good.key }, { query: key, value: file:it.key }';
  const config = sampleConfig().replace('ws://127.0.0.1:3000', `ws://127.0.0.1:3000, credentials: [${own}]`);

  test('are in order where their files can be used, and not shown', async () => {
    const { code, out, err } = await checked(config, { 'good.key': 'sk-good', 'it.key': 'sk-it' });
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).not.toContain('sk-');
  });

  test('are told of where they cannot, but not what is in them', async () => {
    const { code, out, err } = await checked(config, { 'good.key': 'sk-good', 'it.key': 'sk-a\nsk-b' });
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toMatch(/^sallyport: \S+it.key is not one line of visible ASCII characters\n$/);
  });
});
