import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { checkOrigin, normaliseOrigin } from '../../src/admission/origin.ts';
import { GatewayError } from '../../src/errors.ts';
import type { GatewayRequest } from '../../src/http/request.ts';
import { grantOf, plainOf, refusal, routeConfig } from '../support/handshakes.ts';

function judge(
  origins: string[] | undefined,
  origin: string | undefined,
  request: Partial<GatewayRequest> = {},
) {
  void checkOrigin(origins)(plainOf({ origin, ...request }), grantOf());
}

/** The list as the configuration reads it. */
function configured(...origins: string[]) {
  return routeConfig({ origins }).origins;
}

describe('a list of origins', () => {
  test.each([
    ['https://app.example.com', 'https://app.example.com'],
    ['https://app.example.com', 'https://APP.example.com'],
    ['https://app.example.com', 'https://app.example.com:443'],
    ['https://app.example.com:443', 'https://app.example.com'],
    ['http://localhost:3000', 'http://localhost:3000'],
    ['https://*.example.com', 'https://app.example.com'],
    ['https://*.example.com', 'https://app.example.com:443'],
    ['https://*.example.com:8443', 'https://app.example.com:8443'],
    ['http://[::1]:3000', 'http://[::1]:3000'],
    ['https://bücher.example', 'https://xn--bcher-kva.example'],
    ['https://*.bücher.example', 'https://a.xn--bcher-kva.example'],
    ['capacitor://localhost', 'capacitor://localhost'],
    ['chrome-extension://abcdefgh', 'chrome-extension://abcdefgh'],
    ['null', 'null'],
    ['file://', 'file://'],
    ['http://localhost:*', 'http://localhost:5173'],
    ['http://localhost:*', 'http://localhost'],
    ['https://*.example.com:*', 'https://app.example.com:8443'],
    ['http://[::1]:*', 'http://[::1]:3000'],
    ['*', 'https://anything.example'],
    ['*', 'null'],
    ['*', 'file://'],
  ])('with %s lets %s pass', (allowed, origin) => {
    expect(() => judge(configured(allowed), origin)).not.toThrow();
  });

  test.each([
    ['https://app.example.com', 'http://app.example.com'],
    ['https://app.example.com', 'https://app.example.com:8443'],
    ['https://app.example.com', 'https://app.example.com.evil.example'],
    ['https://app.example.com', 'https://evil.example/app.example.com'],
    ['https://app.example.com', 'https://app.example.com/'],
    ['https://app.example.com', 'https://app.example.com.'],
    ['https://app.example.com', 'https://app.example.com@evil.example'],
    ['https://app.example.com', 'https://user@app.example.com'],
    ['https://app.example.com', 'https://app.example.com https://evil.example'],
    ['https://app.example.com', 'https://app.example.com, https://evil.example'],
    ['https://app.example.com', 'https://%61pp.example.com'],
    ['https://app.example.com', 'https://app.example.com?'],
    ['https://app.example.com', 'https://app.example.com#'],
    ['https://app.example.com', 'https:app.example.com'],
    ['https://app.example.com', 'https:\\\\app.example.com'],
    ['https://app.example.com', '//app.example.com'],
    ['https://app.example.com', 'app.example.com'],
    ['https://app.example.com', ' https://app.example.com'],
    ['https://app.example.com', 'null'],
    ['https://app.example.com', ''],
    ['https://app.example.com', 'https://app.example.com:99999'],
    ['https://*.example.com', 'https://example.com'],
    ['https://*.example.com', 'https://a.b.example.com'],
    ['https://*.example.com', 'https://evilexample.com'],
    ['https://*.example.com', 'https://app.example.com.evil.example'],
    ['https://*.example.com', 'https://.example.com'],
    ['https://*.example.com', 'https://*.example.com'],
    ['https://*.example.com', 'http://app.example.com'],
    ['https://*.example.com', 'https://app.example.com:8443'],
    ['https://*.example.com:8443', 'https://app.example.com'],
    ['https://*.bücher.example', 'https://a.b.xn--bcher-kva.example'],
    ['null', 'file://'],
    ['null', 'https://null'],
    ['file://', 'null'],
    ['file://', 'file:///etc/passwd'],
    ['file://', 'file://host'],
    ['http://localhost:*', 'https://localhost:5173'],
    ['http://localhost:*', 'http://localhost.evil.example:5173'],
    ['http://localhost:*', 'http://evil.example:5173'],
    ['https://*.example.com:*', 'https://example.com:8443'],
  ])('with %s refuses %s', (allowed, origin) => {
    const error = refusal(() => judge(configured(allowed), origin));
    expect([error.code, error.status]).toEqual(['ORIGIN_REFUSED', 403]);
  });

  test('lets each of its members pass', () => {
    const origins = configured('https://a.example', 'https://*.b.example', 'http://c.example:81');
    for (const origin of ['https://a.example', 'https://x.b.example', 'http://c.example:81'])
      judge(origins, origin);
    expect(refusal(() => judge(origins, 'https://d.example')).code).toBe('ORIGIN_REFUSED');
  });

  test('never speaks of clients that name no origin', () => {
    expect(() => judge(configured('https://a.example'), undefined)).not.toThrow();
  });
});

describe('without a list', () => {
  test.each<[string, string, boolean]>([
    ['https://app.example.com', 'app.example.com', true],
    ['https://app.example.com', 'APP.example.com:443', true],
    ['https://app.example.com:8443', 'app.example.com:8443', true],
    ['http://app.example.com', 'app.example.com', false],
    ['http://localhost:8080', 'localhost:8080', false],
    ['https://app.example.com', 'app.example.com', false],
    ['https://[2001:db8::1]:8443', '[2001:DB8::1]:8443', true],
  ])('a page of %s may connect to %s (TLS: %s)', (origin, authority, secure) => {
    expect(() => judge(undefined, origin, { authority, secure })).not.toThrow();
  });

  test.each<[string, string, boolean]>([
    ['http://app.example.com', 'app.example.com', true],
    ['https://app.example.com', 'app.example.com:8443', true],
    ['https://app.example.com:8443', 'app.example.com', true],
    ['http://app.example.com:81', 'app.example.com', false],
    ['https://evil.example', 'app.example.com', true],
    ['https://sub.app.example.com', 'app.example.com', true],
    ['capacitor://app.example.com', 'app.example.com', true],
    ['null', 'app.example.com', true],
    ['', 'app.example.com', true],
  ])('a page of %s may not connect to %s (TLS: %s)', (origin, authority, secure) => {
    expect(refusal(() => judge(undefined, origin, { authority, secure })).code).toBe('ORIGIN_REFUSED');
  });

  test('a client that names no origin passes', () => {
    expect(() => judge(undefined, undefined)).not.toThrow();
  });
});

test('an origin has one spelling, which reads back as itself', () => {
  expect(normaliseOrigin('HTTPS://App.Example.com:443')).toBe('https://app.example.com');
  expect(normaliseOrigin('null')).toBeUndefined();
  fc.assert(
    fc.property(
      fc.oneof(fc.string(), fc.webUrl({ validSchemes: ['http', 'https'], withFragments: true })),
      (text) => {
        const once = normaliseOrigin(text);
        if (once !== undefined) expect(normaliseOrigin(once)).toBe(once);
      },
    ),
  );
});

test('an origin passes or is refused, never anything else', () => {
  const part = fc.constantFrom(
    'https://',
    'HTTP://',
    'a.example',
    'app.example.com',
    ':443',
    '/',
    '@',
    '.',
    '%61',
    '\t',
  );
  const nearly = fc.array(part, { minLength: 2, maxLength: 4 }).map((parts) => parts.join(''));
  fc.assert(
    fc.property(fc.oneof(fc.string(), nearly), fc.boolean(), (origin, listed) => {
      try {
        judge(listed ? ['https://a.example'] : undefined, origin);
        expect(['https://a.example', 'https://app.example.com']).toContain(normaliseOrigin(origin));
      } catch (error) {
        expect(error).toBeInstanceOf(GatewayError);
      }
    }),
  );
});

test.each([
  ['https://app.example.com', 'https://APP.example.com:443', 'https://app.example.com'],
  ['https://*.example.com', 'https://a.example.com', 'https://*.example.com'],
  ['http://localhost:*', 'http://localhost:1', 'http://localhost:*'],
  ['*', 'https://x.example', '*'],
  [undefined, 'https://app.example.com', 'same host'],
])('with %s the grant of %s names the entry %s', (allowed, origin, entry) => {
  const grant = grantOf();
  const origins = allowed === undefined ? undefined : configured(allowed);
  void checkOrigin(origins)(plainOf({ origin, authority: 'app.example.com' }), grant);
  expect(grant.originPattern).toBe(entry);
});
