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
      /^sallyport: \S+gate.yaml has 2 problems:\n {2}\S+gate.yaml:1:\d+ listeners\[0\].tls.certificates\[0\]: the private key \S+it.key does not belong to the certificate \S+it.crt: write both of one renewal\n {2}\S+gate.yaml:3:\d+ issuers.main.jwks: jwks \S+keys.json: not a key set/,
    );
  });

  test('are all told at once, each at its place', async () => {
    const both = '{ cert: it.crt, key: it.key }, { cert: other.crt, key: ./it.key }';
    const tls = TLS.replace('{ cert: it.crt, key: it.key }', both).replace('] }', '], clientCa: ca.crt }');
    const upstream = 'wss://127.0.0.1:3000, tls: { ca: ca.crt, cert: it.crt, key: it.key }';
    const store = '\nstore: { redis: rediss://127.0.0.1, tls: { ca: ca.crt } }';
    const { err } = await checked(
      sampleConfig().concat(store).replace('port: 8080', tls).replace('ws://127.0.0.1:3000', upstream),
      { 'it.crt': 'hello', 'other.crt': 'hello', 'it.key': 'hello', 'ca.crt': 'hello' },
    );
    const at = (text: string) => text.replace(/^ +\S+gate.yaml:\d+:\d+ (\S+): .*\/(\S+) is not .*$/, '$1 $2');
    expect(err.trimEnd().split('\n').slice(1).map(at)).toEqual([
      'listeners[0].tls.certificates[0].cert it.crt',
      'listeners[0].tls.certificates[0].key it.key',
      'listeners[0].tls.certificates[1].cert other.crt',
      'listeners[0].tls.certificates[1].key it.key',
      'listeners[0].tls.clientCa ca.crt',
      'routes[0].upstream.tls.ca ca.crt',
      'routes[0].upstream.tls.cert it.crt',
      'routes[0].upstream.tls.key it.key',
      'store.tls.ca ca.crt',
    ]);
  });

  test('that OpenSSL does not accept are told with their place', async () => {
    const { cert, private: key } = await generate([{ name: 'commonName', value: 'localhost' }], {
      keySize: 1024,
    });
    const { code, err } = await checked(config, { 'it.crt': cert, 'it.key': key });
    expect(code).toBe(2);
    expect(err).toMatch(/gate.yaml:1:\d+ listeners\[0\].tls.certificates\[0\]: OpenSSL does not accept/);
  });

  test('are told by serve in the same words', async () => {
    const folder = await folderWith({ 'gate.yaml': config, 'it.crt': 'hello', 'it.key': 'hello' });
    const { code, err } = await sallyport(['serve', join(folder, 'gate.yaml')]);
    expect(code).toBe(2);
    expect(err).toMatch(/gate.yaml:1:\d+ listeners\[0\].tls.certificates\[0\].cert: \S+it.crt is not/);
  });
});

describe('a file of API keys', () => {
  const config = sampleConfig().replace(
    'auth: { issuer: main }',
    'auth: { issuer: main, keys: file:api.yaml }',
  );

  test('that is none is told with the line that names it, and what makes one', async () => {
    const { code, err } = await checked(config, { 'api.yaml': 'keys: 1\n' });
    expect(code).toBe(2);
    expect(err).toMatch(
      /\n {2}\S+gate.yaml:8:\d+ routes\[0\].auth.keys: \S+api.yaml:1:1 a mapping is not a list, each key with its name and hash; once it is away, `sallyport key NAME --file \S+api.yaml` makes one\n$/,
    );
  });

  test('is told of its keys that have expired', async () => {
    const entry = (at: number, expires: string) =>
      `- { name: k${at}, hash: "sha256:${String(at).repeat(64)}", expires: ${expires} }\n`;
    const old = [1, 2, 3, 4, 5, 6].map((at) => entry(at, '2001-01-01')).join('');
    const warned = async (text: string) => (await checked(config, { 'api.yaml': text })).err;
    expect(await warned(`${entry(7, '2999-01-01')}${entry(1, '2001-01-01')}`)).toMatch(
      /^warning: \S+gate.yaml:8:\d+ routes\[0\].auth.keys: keys in \S+api.yaml have expired: k1; take them out\n$/,
    );
    expect(await warned(old)).toMatch(/have expired: k1, k2, k3, k4, k5 and 1 more; take them out\n$/);
    expect(await warned(entry(7, '2999-01-01'))).toBe('');
  });

  test('that cannot be used is told with its places', async () => {
    const { code, out, err } = await checked(config, { 'api.yaml': '# ours\n- { name: ci }\n' });
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toMatch(
      /gate.yaml:8:\d+ routes\[0\].auth.keys: \S+api.yaml:2:3 \[0\].hash: is missing; expected sha256:/,
    );
    expect(await checked(config, { 'api.yaml': '# none yet\n' })).toMatchObject({ code: 0 });
  });
});

test('a file of revocations is told with the lines that make no sense', async () => {
  const config = sampleConfig({ top: 'revocations: file:revoked' });
  const token = 'eyJhbGciOiJFUzI1NiJ9.e30.x';
  const files = { revoked: `# ours\nsubject@main alice\nsubjekt bob\njti ${token}\n` };
  const { code, err } = await checked(config, files);
  expect(code).toBe(2);
  expect(err).toMatch(
    /gate.yaml:4:\d+ revocations: \S+revoked:3:1 begins with none of jti, sid, key, subject; did you/,
  );
  expect(err).toMatch(/revoked:4:1 is a token; write its jti, sid or subject/);
  expect(err).not.toContain(token);
  expect(await checked(config, { revoked: 'subject@main alice\n' })).toMatchObject({ code: 0, err: '' });
});

test('a table of targets that cannot be used is told with its lines', async () => {
  const config = sampleConfig().replace(
    'websocket: ws://127.0.0.1:3000',
    'tcp: "{query.token}", targets: file:desks.txt',
  );
  const { code, err } = await checked(config, { 'desks.txt': 's3cret: nowhere\n# ours\ns3cret\n' });
  expect(code).toBe(2);
  expect(err).toMatch(
    /gate.yaml:9:\d+ routes\[0\].upstream.targets: \S+desks.txt:1:1 what follows the name is not host:port/,
  );
  expect(err).toMatch(/desks.txt:3:1 is not name: host:port/);
  expect(err).not.toContain('s3cret');
  expect(await checked(config, { 'desks.txt': 'a: h:1\n' })).toMatchObject({ code: 0 });
});

/** A route with this `tls`, by whose it is. */
const TLS_OF = {
  upstream: (tls: string) =>
    sampleConfig().replace('ws://127.0.0.1:3000', `wss://127.0.0.1:3000, tls: { ${tls} }`),
  'auth.external': (tls: string) =>
    sampleConfig().replace(
      'auth: { issuer: main',
      `auth: { external: { url: "https://127.0.0.1:1", forward: [accept], tls: { ${tls} } }, issuer: main`,
    ),
};

describe.each(['upstream', 'auth.external'] as const)('certificates for %s', (whose) => {
  const config = TLS_OF[whose];
  /** What is said of its `tls`, or of a key in it, and at which line. */
  const said = (key: string, words: string) =>
    new RegExp(`gate.yaml:\\d+:\\d+ routes\\[0\\].${whose}.tls${key}: ${words}`);
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
      said(
        '',
        'the private key \\S+me.key does not belong to the certificate \\S+me.crt: write both of one renewal\n$',
      ),
    );
  });

  test('that have run out are told', async () => {
    const { cert, private: key } = await generate([{ name: 'commonName', value: 'gate' }], {
      notBeforeDate: new Date('2001-01-01'),
      notAfterDate: new Date('2002-01-01'),
    });
    const { err } = await checked(config('cert: me.crt, key: me.key'), { 'me.crt': cert, 'me.key': key });
    expect(err).toMatch(
      said('.cert', 'the certificate \\S+me.crt expired on Jan {2}1 .* 2002 GMT; renew it\n$'),
    );
  });

  test('and authorities that are none are told', async () => {
    const { code, err } = await checked(config('ca: ca.pem'), { 'ca.pem': 'hello' });
    expect([code, err]).toEqual([2, expect.stringMatching(/ca.pem is not a certificate in PEM form/)]);
  });

  test('that cannot be read are told with their line', async () => {
    const { code, err } = await checked(config('cert: me.crt, key: me.key'), { 'me.crt': 'x' });
    expect(code).toBe(2);
    expect(err).toMatch(said('.key', 'cannot read \\S+me.key; there is no such'));
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
    expect(err).toMatch(
      /:9:\d+ routes\[0\].upstream.credentials\[1\].value: \S+it.key is not one line of visible ASCII characters\n$/,
    );
  });
});
