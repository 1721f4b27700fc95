import { describe, expect, test } from 'vitest';
import { mapCookie, mapLocation, type Places } from '../../src/upstream/places.ts';

const PLAIN: Places = {
  host: 'app.internal:3000',
  scheme: 'http',
  client: 'https://app.example.com',
  base: '',
  prefix: '',
  fullPrefix: '',
};
const SAME: Places = { ...PLAIN, host: 'app.example.com', client: undefined };
const PREFIXED = { prefix: '/app', fullPrefix: '/front/app' };
const BASED = { base: '/base' };

describe('a location', () => {
  test.each<[string, Partial<Places>, string, string]>([
    ['of the service', {}, 'http://app.internal:3000/x?y#z', 'https://app.example.com/x?y#z'],
    ['of the service, in any case', {}, 'HTTP://App.Internal:3000/X', 'https://app.example.com/X'],
    ['of the service without a path', {}, 'http://app.internal:3000', 'https://app.example.com/'],
    ['of the service with a query only', {}, 'http://app.internal:3000?q', 'https://app.example.com/?q'],
    ['of the service without a scheme', {}, '//app.internal:3000/x', '//app.example.com/x'],
    ['of another scheme', {}, 'https://app.internal:3000/x', 'https://app.internal:3000/x'],
    ['of another port', {}, 'http://app.internal/x', 'http://app.internal/x'],
    ['of another host', {}, 'http://app.internal.evil:3000/x', 'http://app.internal.evil:3000/x'],
    ['with a user', {}, 'http://a@app.internal:3000/x', 'http://a@app.internal:3000/x'],
    ['that is no http', {}, 'ftp://app.internal:3000/x', 'ftp://app.internal:3000/x'],
    ['that is a path', {}, '/x', '/x'],
    ['that is relative', PREFIXED, 'x/../y', 'x/../y'],
    ['that is a query', PREFIXED, '?x=/y', '?x=/y'],
    ['that is empty', PREFIXED, '', ''],
    [
      'with a URL in its query',
      PREFIXED,
      '/x?u=http://app.internal:3000/',
      '/app/x?u=http://app.internal:3000/',
    ],

    ['without its prefix', PREFIXED, '/x', '/app/x'],
    ['of the root', PREFIXED, '/', '/app/'],
    ['with its prefix', PREFIXED, '/app/x', '/app/x'],
    ['that is its prefix', PREFIXED, '/app?x', '/app?x'],
    ['with its whole prefix', PREFIXED, '/front/app/x', '/front/app/x'],
    ['that only begins like its prefix', PREFIXED, '/apple', '/app/apple'],
    [
      'of the service, without its prefix',
      PREFIXED,
      'http://app.internal:3000/x',
      'https://app.example.com/app/x',
    ],
    [
      'of the service, with its prefix',
      PREFIXED,
      'http://app.internal:3000/app/x',
      'https://app.example.com/app/x',
    ],
    ['of nobody here, whatever its prefix', PREFIXED, 'https://id.example.com/x', 'https://id.example.com/x'],

    ['below the target’s path', BASED, '/base/x', '/x'],
    ['of the target’s path', BASED, '/base', '/'],
    ['of the target’s path with a query', BASED, '/base?x', '/?x'],
    ['beside the target’s path', BASED, '/bases/x', '/bases/x'],
    ['that would become another host', BASED, '/base//evil.test/x', '/.//evil.test/x'],
    ['that browsers would take for another host', BASED, '/base/\\evil.test', '/./\\evil.test'],
    ['that browsers would take for one without its tab', BASED, '/base/\t/evil.test', '/./\t/evil.test'],
    [
      'of the service, with an empty segment',
      BASED,
      'http://app.internal:3000/base//x',
      'https://app.example.com//x',
    ],
    ['with an empty segment, for a prefix', { ...BASED, ...PREFIXED }, '/base//x', '/app//x'],
    [
      'of the service, beside the target’s path',
      BASED,
      'http://app.internal:3000/',
      'http://app.internal:3000/',
    ],
    ['below the target’s path, for a prefix', { ...BASED, ...PREFIXED }, '/base/x', '/app/x'],
    ['of the target’s path, for a prefix', { ...BASED, ...PREFIXED }, '/base', '/app'],
    ['beside the target’s path, for a prefix', { ...BASED, ...PREFIXED }, '/x', '/x'],
  ])('%s', (_name, changes, value, expected) => {
    expect(mapLocation(value, { ...PLAIN, ...changes })).toBe(expected);
  });

  test.each([
    ['https://app.example.com/x', 'https://app.example.com/app/x'],
    ['http://APP.example.com', 'http://APP.example.com/app/'],
    ['//app.example.com/x', '//app.example.com/app/x'],
    ['https://app.example.com:8443/x', 'https://app.example.com:8443/x'],
  ])('keeps the scheme and the host that both sides know: %s', (value, expected) => {
    expect(mapLocation(value, { ...SAME, ...PREFIXED })).toBe(expected);
  });
});

describe('the path of a cookie', () => {
  test.each<[string, Partial<Places>, string, string]>([
    ['stays', {}, 'a=1; Path=/x; HttpOnly', 'a=1; Path=/x; HttpOnly'],
    ['that is the root covers the prefix', PREFIXED, 'a=1; Path=/; HttpOnly', 'a=1; Path=/app; HttpOnly'],
    ['lies below the prefix', PREFIXED, 'a=1; path = /x', 'a=1; path = /app/x'],
    ['keeps its prefix', PREFIXED, 'a=1;Path=/app/x', 'a=1;Path=/app/x'],
    ['loses the target’s own', BASED, 'a=1; PATH=/base/x', 'a=1; PATH=/x'],
    ['that is the target’s own is the root', BASED, 'a=1; Path=/base', 'a=1; Path=/'],
    ['that is the target’s own, with a slash', BASED, 'a=1; Path=/base/', 'a=1; Path=/'],
    ['above the target’s own is the root', { base: '/a/b' }, 'a=1; Path=/a', 'a=1; Path=/'],
    ['beside the target’s own stays', BASED, 'a=1; Path=/other', 'a=1; Path=/other'],
    [
      'is that of the prefix for the target’s own',
      { ...BASED, ...PREFIXED },
      'a=1; Path=/base',
      'a=1; Path=/app',
    ],
    ['below both', { ...BASED, ...PREFIXED }, 'a=1; Path=/base/x', 'a=1; Path=/app/x'],
    ['that is none', PREFIXED, 'a=1; Path=x; Secure', 'a=1; Path=x; Secure'],
    ['that is empty', PREFIXED, 'a=1; Path=', 'a=1; Path='],
    ['that is not there', PREFIXED, 'path=/x; Secure', 'path=/x; Secure'],
    [
      'of a host’s cookie stays the root',
      PREFIXED,
      '__Host-a=1; Path=/; Secure',
      '__Host-a=1; Path=/; Secure',
    ],
    ['does not touch the domain', PREFIXED, 'a=1; Domain=a.test; Path=/', 'a=1; Domain=a.test; Path=/app'],
  ])('%s', (_name, changes, value, expected) => {
    expect(mapCookie(value, { ...PLAIN, ...changes })).toBe(expected);
  });
});
