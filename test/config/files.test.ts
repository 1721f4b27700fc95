import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { parseConfig } from '../../src/config/load.ts';
import { problemOf, problemsOf, sampleConfig } from '../support/config.ts';

const KEYS = 'jwks: https://id.example.com/keys';
const ALL_KEYS = `algorithms: [ES256], ${KEYS}`;

async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'sallyport-files-'));
  onTestFinished(() => rm(path, { recursive: true }));
  return path;
}

function secretOf(baseDir: string, secret: string): string | undefined {
  const text = sampleConfig().replace(ALL_KEYS, `algorithms: [HS256], secret: ${secret}`);
  return parseConfig(text, { baseDir }).config.issuers.main?.secret;
}

describe('paths', () => {
  test('are taken from the given folder, wherever a file may be named', async () => {
    const base = await folder();
    for (const name of ['a.crt', 'a.key', 'keys.json', 'public.pem', 'ca.pem', 'me.crt', 'me.key'])
      await writeFile(join(base, name), 'x');
    const text = sampleConfig({
      route: `  - { name: b, match: { path: /b }, auth: none, upstream: { websocket: wss://a, tls: { ca: ca.pem, cert: me.crt, key: me.key } } }`,
    })
      .replace('port: 8080', 'port: 8080, tls: { certificates: [{ cert: ./a.crt, key: ../a.key }] }')
      .replace(
        KEYS,
        `jwks: keys.json }\n  other: { issuer: x, audience: y, algorithms: [ES256], publicKey: public.pem`,
      );
    const paths = ['listeners[0].tls.certificates[0].key'];
    expect(problemsOf(text, {}, base).map(({ path }) => path)).toEqual(paths);
    const { config } = parseConfig(text.replace('../a.key', 'a.key'), { baseDir: base });
    expect(config.listeners[0]?.tls?.certificates).toEqual([
      { cert: join(base, 'a.crt'), key: join(base, 'a.key') },
    ]);
    expect(config.issuers.main?.jwks).toBe(join(base, 'keys.json'));
    expect(config.issuers.other?.publicKey).toBe(join(base, 'public.pem'));
    expect(config.routes[1]?.upstream.tls).toEqual({
      ca: join(base, 'ca.pem'),
      cert: join(base, 'me.crt'),
      key: join(base, 'me.key'),
    });
  });

  test.each([
    ['websocket: "unix:a.sock:/x"', 'unix:/etc/gate/a.sock:/x'],
    ['http: { url: unix:./a.sock }', 'unix:/etc/gate/a.sock'],
    ['http: [unix:/run/a.sock, { url: unix:../b.sock, weight: 2 }]', 'unix:/etc/b.sock'],
    ['tcp: [unix:a.sock, a:1]', '/etc/gate/a.sock'],
    ['tcp: [a:1, { address: unix:a.sock }]', '/etc/gate/a.sock'],
    ['poll: { target: unix:a.sock, poll: { path: / } }', 'unix:/etc/gate/a.sock'],
    ['poll: { target: [{ url: unix:a.sock }], poll: { path: / } }', 'unix:/etc/gate/a.sock'],
  ])('of unix sockets, too, which need not be there: %s', (upstream, expected) => {
    const route = `  - { name: b, match: { path: /b }, auth: none, upstream: { ${upstream} } }`;
    const { config } = parseConfig(sampleConfig({ route }), { baseDir: '/etc/gate' });
    expect(JSON.stringify(config.routes[1]?.upstream)).toContain(`"${expected}"`);
  });

  test('that are absolute stay', async () => {
    const base = await folder();
    await writeFile(join(base, 'keys.json'), 'x');
    const text = sampleConfig().replace(KEYS, `jwks: ${join(base, 'keys.json')}`);
    expect(parseConfig(text, { baseDir: '/nowhere' }).config.issuers.main?.jwks).toBe(
      join(base, 'keys.json'),
    );
  });

  test('a jwks that is a URL is none', () => {
    expect(parseConfig(sampleConfig()).config.issuers.main?.jwks).toBe('https://id.example.com/keys');
  });

  describe('that cannot be read are told', () => {
    let text = '';
    beforeAll(() => {
      text = sampleConfig().replace(KEYS, 'jwks: it');
    });

    test('missing', async () => {
      const base = await folder();
      expect(problemOf(text, {}, base)).toBe(
        `3:86 issuers.main.jwks: cannot read ${join(base, 'it')}; there is no such file`,
      );
    });

    test('a folder', async () => {
      const base = await folder();
      await mkdir(join(base, 'it'));
      expect(problemOf(text, {}, base)).toMatch(/is not a file$/);
    });

    test('endless', async () => {
      expect(problemOf(text.replace('jwks: it', 'jwks: /dev/zero'))).toMatch(/\/dev\/zero is not a file$/);
    });

    test('too large', async () => {
      const base = await folder();
      await writeFile(join(base, 'it'), Buffer.alloc(1024 * 1024 + 1));
      expect(problemOf(text, {}, base)).toMatch(/is larger than 1 MiB$/);
    });

    test('below what is no folder', async () => {
      const base = await folder();
      await writeFile(join(base, 'it'), 'x');
      expect(problemOf(text, {}, join(base, 'it'))).toMatch(/cannot read .*; ENOTDIR$/);
    });
  });
});

describe('secrets', () => {
  test('are read from a file, less one newline at the end', async () => {
    const base = await folder();
    await writeFile(join(base, 'one'), 's3cr3t\n');
    await writeFile(join(base, 'two'), 's3cr3t\r\n');
    await writeFile(join(base, 'three'), ' s3cr3t\n\n');
    expect(secretOf(base, 'file:one')).toBe('s3cr3t');
    expect(secretOf(base, 'file:two')).toBe('s3cr3t');
    expect(secretOf(base, 'file:three')).toBe(' s3cr3t\n');
  });

  test('the file of which is empty are refused', async () => {
    const base = await folder();
    await writeFile(join(base, 'empty'), '\n');
    expect(() => secretOf(base, 'file:empty')).toThrow(/issuers.main.secret: must not be empty/);
  });

  test('that are the name of a file are refused, and others are not', async () => {
    const base = await folder();
    await writeFile(join(base, 'gate.secret'), 's3cr3t\n');
    const text = (place: string) => sampleConfig().replace('ws://127.0.0.1:3000', place);
    const secret = sampleConfig().replace(ALL_KEYS, 'algorithms: [HS256], secret: gate.secret');
    const credential = text('ws://127.0.0.1:3000, credentials: { header: x-key, value: gate.secret }');
    const keys = sampleConfig().replace('issuer: main }', 'keys: ./gate.secret }');
    for (const [wrong, path, name] of [
      [secret, 'issuers.main.secret', 'gate.secret'],
      [credential, 'routes[0].upstream.credentials.value', 'gate.secret'],
      [keys, 'routes[0].auth.keys', './gate.secret'],
    ] as const)
      expect(problemOf(wrong, {}, base)).toContain(
        `${path}: is the name of a file; did you mean file:${name}?`,
      );
    for (const other of ['other.secret', '.', 'x'.repeat(5000)]) expect(secretOf(base, other)).toBe(other);
  });

  test('the file of which is missing are refused', () => {
    expect(() => secretOf('/nowhere', 'file:it')).toThrow(/cannot read \/nowhere\/it; there is no such file/);
  });
});

test('a file of API keys that is missing is told with what makes one', () => {
  const text = sampleConfig().replace('issuer: main }', 'keys: file:api.yaml }');
  expect(problemOf(text, {}, '/nowhere')).toContain(
    'routes[0].auth.keys: cannot read /nowhere/api.yaml; there is no such file: `sallyport key NAME --file /nowhere/api.yaml` makes one',
  );
});
