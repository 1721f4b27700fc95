import { describe, expect, test } from 'vitest';
import { checkHost } from '../../src/admission/host.ts';
import type { GatewayRequest } from '../../src/http/request.ts';
import { grantOf, plainOf, refusal, routeConfig } from '../support/handshakes.ts';

interface Named {
  readonly host?: string;
  readonly origins?: readonly string[];
}

function judge(host: string, request: Partial<GatewayRequest> = {}, { host: named, origins }: Named = {}) {
  const route = routeConfig({ match: { path: '/', host: named }, origins });
  void checkHost(route)(plainOf({ host, isLocal: true, ...request }), grantOf());
}

test.each(['localhost', 'LOCALHOST', 'localhost.', 'app.localhost', '127.0.0.1', '127.1.2.3', '::1'])(
  '%s is a name of this machine',
  (host) => expect(() => judge(host)).not.toThrow(),
);

test.each(['evil.example', 'localhost.evil.example', '192.168.1.5', '0.0.0.0', 'xlocalhost', '1.127.0.0.1'])(
  '%s is none',
  (host) => {
    const error = refusal(() => judge(host));
    expect([error.code, error.status]).toEqual(['MISDIRECTED', 421]);
    expect(error.detail).toContain(`${host} is no name of this machine`);
  },
);

test('any name passes that the route matches, that a trusted proxy says, or that comes to another listener', () => {
  expect(() => judge('app.example', {}, { host: 'app.example' })).not.toThrow();
  expect(() => judge('app.example', { isPeerTrusted: true })).not.toThrow();
  expect(() => judge('app.example', { isLocal: false })).not.toThrow();
});

describe('the hosts of the route’s origins', () => {
  const origins = ['https://app.example:8443', 'https://*.shop.example', 'null', '*'];

  test.each(['app.example', 'de.shop.example'])('%s passes', (host) => {
    expect(() => judge(host, {}, { origins })).not.toThrow();
  });

  test.each(['evil.example', 'shop.example', 'a.b.shop.example', 'xapp.example'])('%s does not', (host) => {
    expect(refusal(() => judge(host, {}, { origins })).code).toBe('MISDIRECTED');
  });
});
