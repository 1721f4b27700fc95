import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { GatewayError } from '../../src/errors.ts';
import { escapeSegment, parseHost, parseTarget } from '../../src/http/target.ts';
import { refusal } from '../support/handshakes.ts';

describe('a request target in origin form', () => {
  test.each([
    ['/', '/', undefined],
    ['/chat', '/chat', undefined],
    ['/chat/', '/chat/', undefined],
    ['/chat?', '/chat', ''],
    ['/chat?a=b&c', '/chat', 'a=b&c'],
    ['/chat?a=../b//c?d', '/chat', 'a=../b//c?d'],
    ['/a%20b/caf%C3%A9', '/a%20b/caf%C3%A9', undefined],
    ['//a//b', '//a//b', undefined],
    ["/-._~!$&'()*+,;=:@|[]{}^`", "/-._~!$&'()*+,;=:@|[]{}^`", undefined],
    ['/a"<>\\b', '/a"<>\\b', undefined],
    ['/a?<>"\\{}|^`', '/a', '<>"\\{}|^`'],
  ])('%s is taken apart', (target, path, query) => {
    expect(parseTarget(target, 'GET')).toEqual({ path, query, authority: undefined });
  });

  test.each([
    ['nothing', ''],
    ['a star', '*'],
    ['a lone authority', 'evil.example:80'],
    ['no slash', 'chat'],
    ['a backslash in the place of the slash', '\\chat'],
    ['a fragment', '/a#b'],
    ['a fragment in the query', '/a?b#c'],
    ['a NUL', '/a\u0000'],
    ['a tab', '/a\tb'],
    ['a DEL', '/a\u007f'],
    ['a space', '/a b'],
    ['a space in the query', '/a?b c'],
    ['a control in the query', '/a?b\u0001'],
    ['characters beyond ASCII', '/caf\u00e9'],
    ['characters beyond ASCII in the query', '/a?caf\u00e9'],
  ])('with %s is refused', (_, target) => {
    expect(refusal(() => parseTarget(target, 'GET')).code).toBe('BAD_REQUEST');
  });
});

describe('a request target in absolute form', () => {
  test.each([
    ['http://a.example/x?y=z', 'a.example', '/x', 'y=z'],
    ['HTTPS://A.example:8443/x//y', 'A.example:8443', '/x//y', undefined],
    ['http://[2001:db8::1]:80/', '[2001:db8::1]:80', '/', undefined],
    ['http://a.example', 'a.example', '/', undefined],
    ['http://a.example/x?', 'a.example', '/x', ''],
    ['http://a.example?y', 'a.example', '/', 'y'],
    ['http://a.example?http://b/c', 'a.example', '/', 'http://b/c'],
    ['http://user@a.example/x', 'user@a.example', '/x', undefined],
  ])('%s is for %s', (target, authority, path, query) => {
    expect(parseTarget(target, 'GET')).toEqual({ authority, path, query });
  });

  test.each([
    ['another scheme', 'ws://a.example/x'],
    ['no authority', 'http:/x'],
    ['a fragment', 'http://a.example/x#y'],
    ['a space', 'http://a.example/x y'],
  ])('with %s is refused', (_, target) => {
    expect(refusal(() => parseTarget(target, 'GET')).code).toBe('BAD_REQUEST');
  });
});

test.each([
  ['OPTIONS', '*', { path: '*', query: undefined, authority: undefined }],
  ['OPTIONS', 'http://a.example', { path: '*', query: undefined, authority: 'a.example' }],
  ['OPTIONS', 'http://a.example/', { path: '/', query: undefined, authority: 'a.example' }],
  ['OPTIONS', 'http://a.example?x', { path: '/', query: 'x', authority: 'a.example' }],
])('%s %s asks about %o', (method, target, parts) => {
  expect(parseTarget(target, method)).toEqual(parts);
});

test.each(['*?x', '*/', '**'])('OPTIONS %s is refused', (target) => {
  expect(refusal(() => parseTarget(target, 'OPTIONS')).code).toBe('BAD_REQUEST');
});

test('a request target is taken apart or refused, never anything else', () => {
  const part = fc.constantFrom('/', '?', '#', '*', 'http://', 'a', '%zz', '\\', '@', ':', ' ', 'é', '"', '[');
  const targets = fc.oneof(
    fc.array(part).map((parts) => parts.join('')),
    fc.string(),
    fc.webUrl(),
  );
  fc.assert(
    fc.property(targets, fc.constantFrom('GET', 'OPTIONS'), (target, method) => {
      try {
        const { path, query, authority } = parseTarget(target, method);
        expect(path).toMatch(/^(\*|\/[!-~]*)$/);
        expect(target).toContain(path === '/' || path === '*' ? '' : path);
        expect(target.endsWith(query === undefined ? path.slice(1) : `?${query}`)).toBe(true);
        expect(target).toContain(authority ?? '');
      } catch (error) {
        expect(error).toBeInstanceOf(GatewayError);
      }
    }),
  );
});

describe('a segment that is to stand elsewhere', () => {
  test.each([
    ['blue', 'blue'],
    ['a%20b', 'a%20b'],
    ['%2F', '%2F'],
    ['caf%E9', 'caf%E9'],
    ['%61', '%61'],
    ['a&b=c', 'a%26b%3Dc'],
    ['a\\b', 'a%5Cb'],
    ['a;b', 'a%3Bb'],
    ['a"<>{}|^`', 'a%22%3C%3E%7B%7D%7C%5E%60'],
    ["-_.!~*'()", "-_.!~*'()"],
  ])('is %s as %s', (segment, escaped) => {
    expect(escapeSegment(segment)).toBe(escaped);
  });
});

describe('a Host', () => {
  test.each([
    ['app.example.com', 'app.example.com'],
    ['APP.Example.com:8443', 'app.example.com'],
    ['localhost:65535', 'localhost'],
    ['127.0.0.1:80', '127.0.0.1'],
    ['my_service', 'my_service'],
    ['example.com.', 'example.com.'],
    ['[2001:DB8::1]:8443', '2001:db8::1'],
    ['[::1]', '::1'],
  ])('%s names %s', (authority, host) => {
    expect(parseHost(authority)).toBe(host);
  });

  test.each([
    ['nothing', ''],
    ['a space', 'a b'],
    ['two hosts', 'a.example,b.example'],
    ['a path', 'a.example/b'],
    ['a user', 'user@a.example'],
    ['an empty label', 'a..b'],
    ['a leading dot', '.a'],
    ['escapes', 'a%2eb'],
    ['characters beyond ASCII', 'b\u00fccher.example'],
    ['an empty port', 'a:'],
    ['port 0', 'a:0'],
    ['a port too high', 'a:65536'],
    ['a port that is none', 'a:http'],
    ['two ports', 'a:1:2'],
    ['IPv6 without brackets', '2001:db8::1'],
    ['brackets without IPv6', '[a]'],
    ['IPv6 cut short', '[::1'],
    ['IPv6 with too many groups', '[1:2:3:4:5:6:7:8:9]'],
    ['a name too long', `${'a'.repeat(256)}`],
  ])('with %s is refused', (_, authority) => {
    expect(refusal(() => parseHost(authority)).code).toBe('BAD_REQUEST');
  });

  test('is accepted or refused, never anything else', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.webAuthority({ withPort: true })), (authority) => {
        try {
          expect(parseHost(authority)).toMatch(/^[a-z0-9_.:-]+$/);
        } catch (error) {
          expect(error).toBeInstanceOf(GatewayError);
        }
      }),
    );
  });
});
