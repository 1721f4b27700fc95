import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { missingGuards } from '../../src/config/guards.ts';
import { parsed, problemOf, sampleConfig, warningsOf } from '../support/config.ts';

/** Files that are there; what is in them is looked at elsewhere. */
const folder = mkdtempSync(join(tmpdir(), 'sallyport-config-'));
for (const name of ['gate.crt', 'gate.key', 'ca.crt']) writeFileSync(join(folder, name), name);
afterAll(() => rmSync(folder, { recursive: true }));

const FILES = `certificates: [{ cert: ${folder}/gate.crt, key: ${folder}/gate.key }]`;
const CA = `clientCa: ${folder}/ca.crt`;

function config({ tls = `${FILES}, ${CA}`, auth = '{ certificate: {} }', top = '' } = {}): string {
  return sampleConfig({ top })
    .replace('port: 8080', `port: 8080, tls: { ${tls} }`)
    .replace('auth: { issuer: main }', `auth: ${auth}`)
    .replace(/^issuers:\n.*\n/m, auth.includes('issuer') ? '$&' : '');
}

function subjectsOf(...subjects: string[]) {
  const { auth } =
    parsed(config({ auth: `{ certificate: { subjects: ${JSON.stringify(subjects)} } }` })).routes[0] ?? {};
  return typeof auth === 'object' ? auth.certificate?.subjects : undefined;
}

describe('subjects', () => {
  test.each([
    ['device-7', { by: 'commonName', name: 'device-7' }],
    ['Müller, Anna', { by: 'commonName', name: 'Müller, Anna' }],
    ['CN=device-7,O=Acme', { by: 'subject', name: 'CN=device-7,O=Acme' }],
    ['dns:A.Example.com', { by: 'dns', name: 'a.example.com' }],
    ['dns:*.example.com', { by: 'dns', name: '*.example.com' }],
    ['email:ann@example.com', { by: 'email', name: 'ann@example.com' }],
    ['uri:spiffe://example.com/ns/a', { by: 'uri', name: 'spiffe://example.com/ns/a' }],
    ['uri:spiffe://example.com/ns/*', { by: 'uri', name: 'spiffe://example.com/ns/*' }],
    ['uri:urn:acme:*', { by: 'uri', name: 'urn:acme:*' }],
  ])('%s', (text, subject) => expect(subjectsOf(text)).toEqual([subject]));

  test.each([
    '*',
    'device-*',
    ' device-7',
    'CN=a,',
    'CN=a,O',
    'dns:',
    'dns:a.*.example.com',
    'dns:*example.com',
    'dns:**.example.com',
    'dns:a b',
    'email:ann',
    'email:*@example.com',
    'uri:nonsense',
    'uri:spiffe://acme*',
    'uri:spiffe://*/a',
    'uri:spiffe://a/*/*',
  ])('%j is none', (text) => {
    const auth = `{ certificate: { subjects: [${JSON.stringify(text)}] } }`;
    expect(problemOf(config({ auth }))).toMatch(
      /auth.certificate.subjects\[0\]: ".*" is not a certificate name like device-7, CN=/,
    );
  });
});

describe('the authorities of clients', () => {
  test('are asked for by clientAuth', () => {
    expect(problemOf(config({ tls: `${FILES}, clientAuth: optional`, auth: '{ issuer: main }' }))).toMatch(
      /listeners\[0\].tls.clientAuth: has no effect without clientCa/,
    );
  });

  test('are asked for by a route that wants certificates', () => {
    expect(problemOf(config({ tls: FILES }))).toMatch(
      /routes\[0\].auth.certificate: nobody can show a certificate: no listener has tls.clientCa; name there the file/,
    );
  });

  test('are of no use if clients may do without and nobody looks', () => {
    expect(
      warningsOf(config({ tls: `${FILES}, ${CA}, clientAuth: optional`, auth: '{ issuer: main }' })),
    ).toEqual([
      expect.stringMatching(
        /^listeners\[0\].tls.clientCa: clients are asked for certificates, but may do without/,
      ),
    ]);
  });

  test.each([
    { auth: '{ issuer: main }' },
    { auth: '{ issuer: main, certificate: {} }', tls: `${FILES}, ${CA}, clientAuth: optional` },
    { auth: '{ certificate: {} }', tls: `${FILES}, ${CA}, clientAuth: required` },
  ])('are of use: %j', (given) => expect(warningsOf(config(given))).toEqual([]));
});

test('a proxy whose certificate lets all its clients in is warned of', () => {
  const top = 'trustedProxies: [10.0.0.0/8]';
  expect(warningsOf(config({ top }))).toEqual([
    expect.stringMatching(
      /^routes\[0\].auth.certificate: a trusted proxy that has a certificate lets all of its clients in/,
    ),
  ]);
  expect(warningsOf(config({ top, auth: '{ certificate: { subjects: [edge] } }' }))).toEqual([]);
});

describe('origins on a route with certificates', () => {
  const given = (auth: string, origin: string) =>
    config({ auth }).replace('upstream:', `origins: ["${origin}"]\n    upstream:`);

  test.each(['*', 'null'])(
    'cannot be %s where nothing else is asked for: browsers show them for any page',
    (origin) => {
      expect(problemOf(given('{ certificate: {} }', origin))).toMatch(
        /routes\[0\].origins\[0\]: lets any page act with the certificates of its visitors: name the origins/,
      );
      expect(
        warningsOf(given('{ certificate: {}, issuer: main, token: [subprotocol] }', origin)),
      ).toHaveLength(1);
    },
  );

  test('may be absent: then only pages of the same host come in', () => {
    expect(warningsOf(config())).toEqual([]);
  });
});

test.each([
  ['token: [header]', 'token'],
  ['forwardToken: true', 'forwardToken'],
])('%s has no effect where no token is asked for', (given, key) => {
  expect(problemOf(config({ auth: `{ certificate: {}, ${given} }` }))).toMatch(
    `routes[0].auth.${key}: has no effect without issuer or keys: no token is looked for; remove it`,
  );
  expect(warningsOf(config({ auth: `{ certificate: {}, issuer: main, ${given} }` }))).toEqual([]);
});

test('what becomes of a WebSocket at the end of a certificate can be said', () => {
  expect(warningsOf(config({ auth: '{ certificate: {}, onExpiry: ignore }' }))).toEqual([]);
});

describe('a route asks for less', () => {
  const route = (auth: string) => {
    const [found] = parsed(config({ auth })).routes;
    if (found === undefined) throw new Error('there is no route');
    return found;
  };
  const strict = route('{ certificate: { subjects: [a, "dns:b.test"] } }');

  test.each([
    ['{ certificate: {} }', ['auth']],
    ['{ certificate: { subjects: [a, c] } }', ['auth']],
    ['{ certificate: { subjects: [b.test] } }', ['auth']],
    ['{ certificate: { subjects: [a] } }', []],
    ['{ certificate: { subjects: ["dns:b.test", a] } }', []],
  ])('%s: %j', (auth, missing) => expect(missingGuards(route(auth), strict)).toEqual(missing));
});
