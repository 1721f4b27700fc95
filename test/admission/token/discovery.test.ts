import { describe, expect, onTestFinished, test } from 'vitest';
import { discoveryUrl, keySetAddress } from '../../../src/admission/token/discovery.ts';
import type { RemoteDeps } from '../../../src/admission/token/remote-jwks.ts';
import { createVerifier } from '../../../src/admission/token/verifier.ts';
import { startIdentityProvider } from '../../support/identity.ts';
import { startOidc } from '../../support/oidc.ts';
import { codeOf, issuer, jwk, keySet, mint, NOW_MS, signingKey } from '../../support/tokens.ts';

describe('the address of the document', () => {
  test.each([
    ['https://id.test', 'https://id.test/.well-known/openid-configuration'],
    ['https://id.test/', 'https://id.test/.well-known/openid-configuration'],
    ['https://id.test/realms/a', 'https://id.test/realms/a/.well-known/openid-configuration'],
    ['https://id.test:8443/a/', 'https://id.test:8443/a/.well-known/openid-configuration'],
  ])('of %s is %s', (iss, url) => expect(discoveryUrl(iss).href).toBe(url));
});

describe('a document', () => {
  const HTTPS = 'https://id.test/';
  const read = (document: unknown, iss = HTTPS) => keySetAddress(JSON.stringify(document), iss).href;

  test('says where the key set is, at another host too', () => {
    expect(read({ issuer: HTTPS, jwks_uri: 'https://keys.test/a?b' })).toBe('https://keys.test/a?b');
  });

  test('that came over plain http may name plain http', () => {
    const iss = 'http://127.0.0.1:9000';
    expect(read({ issuer: iss, jwks_uri: `${iss}/keys` }, iss)).toBe(`${iss}/keys`);
  });

  test.each<[string, unknown, RegExp]>([
    [
      'of another issuer',
      { issuer: 'https://evil.test/', jwks_uri: HTTPS },
      /of the issuer "https:\/\/evil.test\/"/,
    ],
    [
      'of nearly this issuer',
      { issuer: 'https://id.test', jwks_uri: HTTPS },
      /the configuration says "https:/,
    ],
    ['of no issuer', { jwks_uri: HTTPS }, /of the issuer none/],
    ['with a list of issuers', { issuer: [HTTPS], jwks_uri: HTTPS }, /of the issuer \[/],
    ['without a jwks_uri', { issuer: HTTPS }, /no https URL: none/],
    ['with keys over plain http', { issuer: HTTPS, jwks_uri: 'http://id.test/keys' }, /no https URL: "http:/],
    ['with keys in a file', { issuer: HTTPS, jwks_uri: 'file:///etc/passwd' }, /no https URL/],
    ['with credentials', { issuer: HTTPS, jwks_uri: 'https://a:b@id.test/' }, /no https URL/],
    ['with a relative address', { issuer: HTTPS, jwks_uri: '/keys' }, /no https URL/],
    ['that is a list', [HTTPS], /of the issuer none/],
    ['that is null', null, /no discovery document/],
    ['of endless names', { issuer: 'x'.repeat(10_000) }, /^.{0,400}$/],
  ])('%s is refused', (_, document, message) => expect(() => read(document)).toThrow(message));

  test('that is no JSON is refused without being quoted', () => {
    expect(() => keySetAddress('<html>secret', HTTPS)).toThrow(/^what it answered is no discovery document/);
  });
});

describe('a verifier that finds its keys', () => {
  const OLD = signingKey('ES256');
  const NEW = signingKey('ES256');

  async function open(iss: string, deps: RemoteDeps = {}) {
    const settings = issuer({ issuer: iss, discovery: true });
    const verifier = await createVerifier(settings, { now: () => NOW_MS, ...deps });
    onTestFinished(() => verifier.close());
    return verifier;
  }

  test('asks for the document anew with each fetch, since the key set may move', async () => {
    const clock = { ms: 0 };
    const { issuer: iss, publish, asked } = await startOidc('/realms/app/');
    publish('/keys/1', keySet(jwk(OLD, { kid: 'old' })));
    const verifier = await open(iss, { monotonic: () => clock.ms });
    await verifier.verify(mint(OLD, { iss }, { kid: 'old' }));
    publish('/keys/2', keySet(jwk(NEW, { kid: 'new' })));
    clock.ms += 30_000;
    await verifier.verify(mint(NEW, { iss }, { kid: 'new' }));
    const document = '/realms/app/.well-known/openid-configuration';
    expect(asked).toEqual([document, '/keys/1', document, '/keys/2']);
  });

  /** The first warning of a verifier with this document, and what it makes of a token meanwhile. */
  async function failure(
    put: (oidc: Awaited<ReturnType<typeof startOidc>>) => void,
    times?: RemoteDeps['times'],
  ) {
    const oidc = await startOidc('');
    put(oidc);
    const warned = Promise.withResolvers<{ cause: string }>();
    const logger = { info() {}, warn: warned.resolve } as unknown as RemoteDeps['logger'];
    const verifier = await open(oidc.issuer, { logger, times });
    const { cause } = await warned.promise;
    const code = await codeOf(verifier.verify(mint(OLD, { iss: oidc.issuer }, { kid: 'old' })));
    return { code, message: cause, origin: new URL(oidc.provider.url).origin };
  }

  test.each<[string, Parameters<typeof failure>[0], RegExp]>([
    ['there is none', () => undefined, /openid-configuration answered 404$/],
    [
      'it is of another issuer',
      ({ put }) => put('/.well-known/openid-configuration', '{"issuer":"https://evil.test"}'),
      /is of the issuer "https:\/\/evil.test"/,
    ],
    [
      'it is too large',
      ({ put }) => put('/.well-known/openid-configuration', ' '.repeat(64 * 1024 + 1)),
      /more than 65536 bytes/,
    ],
    [
      'it leads elsewhere',
      ({ provider }) => provider.answer((_, response) => response.writeHead(302, { location: '/x' }).end()),
      /answered 302/,
    ],
    ['the key set is none', ({ publish }) => publish('/keys', '{"keys":[]}'), /no public key for ES256/],
    ['it names itself', ({ publish }) => publish('/.well-known/openid-configuration', '{}'), /issuer none/],
  ])('says in the log that %s', async (_, put, message) => {
    const failed = await failure(put);
    expect(failed.message).toMatch(message);
    expect(failed.code).toBe('KEYS_UNAVAILABLE');
  });

  test('has one deadline for the document and the key set together', async () => {
    const slow = await startIdentityProvider(() => undefined);
    onTestFinished(() => slow.close());
    const { message } = await failure(
      ({ issuer: iss, put }) =>
        put('/.well-known/openid-configuration', JSON.stringify({ issuer: iss, jwks_uri: slow.url })),
      { deadlineMs: 300 },
    );
    expect(slow.hits).toBe(1);
    expect(message).toMatch(/timeout/);
  });
});
