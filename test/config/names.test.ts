import { describe, expect, test } from 'vitest';
import { parsed, problemOf, sampleConfig } from '../support/config.ts';

const listeners = (...all: string[]) =>
  sampleConfig().replace(/^listeners: .*$/m, `listeners: [${all.join(', ')}]`);

describe('issuers', () => {
  test('that a route names must exist', () => {
    expect(problemOf(sampleConfig().replace('{ issuer: main }', '{ issuer: mian }'))).toBe(
      '8:21 routes[0].auth.issuer: there is no issuer "mian" under issuers; did you mean main?',
    );
  });

  test('of one route are told apart by their `iss`', () => {
    const top = `  other: { issuer: "https://id.example.com/", audience: b, algorithms: [ES256], jwks: https://b/keys }`;
    const text = sampleConfig({ top }).replace('{ issuer: main }', '{ issuer: [main, other] }');
    expect(problemOf(text)).toMatch(
      /^8:28 routes\[0\].auth.issuer\[1\]: has the same `issuer` as routes\[0\].auth.issuer\[0\]/,
    );
  });
});

test('routes have names of their own', () => {
  const route = '  - { name: chat, match: { path: /b }, auth: none, upstream: { http: http://127.0.0.1:1 } }';
  expect(problemOf(sampleConfig({ route }))).toBe(
    '10:13 routes[1].name: the name "chat" is taken by routes[0]',
  );
});

describe('addresses', () => {
  test.each([
    ['{ host: 127.0.0.1, port: 1 }', '{ host: 127.0.0.1, port: 1 }'],
    ['{ port: 1 }', '{ host: 127.0.0.1, port: 1 }'],
    ['{ host: "::1", port: 1 }', '{ port: 1 }'],
    ['{ host: 0.0.0.0, port: 1 }', '{ host: 127.0.0.1, port: 1 }'],
  ])('%s and %s cannot both be had', (one, other) => {
    expect(problemOf(listeners(one, other))).toMatch(
      /listeners\[1\].port: \S+ port 1 is taken by listeners\[0\]$/,
    );
  });

  test.each([
    ['{ host: 127.0.0.1, port: 1 }', '{ host: 127.0.0.1, port: 2 }'],
    ['{ host: 127.0.0.1, port: 1 }', '{ host: "::1", port: 1 }'],
    ['{ host: 0.0.0.0, port: 1 }', '{ host: "::1", port: 1 }'],
    ['{ host: 127.0.0.1, port: 0 }', '{ host: 127.0.0.1, port: 0 }'],
  ])('%s and %s can', (one, other) => expect(parsed(listeners(one, other)).listeners).toHaveLength(2));

  test('the admin listener has one as well', () => {
    expect(problemOf(sampleConfig({ top: 'admin: { port: 8080 }' }))).toMatch(
      /admin.port: 127.0.0.1 port 8080 is taken by listeners\[0\]$/,
    );
  });
});

describe('PROXY headers', () => {
  const listener = '{ port: 8080, proxyProtocol: true }';

  test('are sent by somebody', () => {
    expect(problemOf(listeners(listener))).toMatch(
      /listeners\[0\].proxyProtocol: has no effect: name the proxies that send PROXY headers in trustedProxies$/,
    );
  });

  test('are read of trusted proxies', () => {
    const config = parsed(`trustedProxies: [10.0.0.1]\n${listeners(listener)}`);
    expect(config.listeners[0]?.proxyProtocol).toBe(true);
  });
});
