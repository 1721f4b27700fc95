import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { GatewayError } from '../../src/errors.ts';
import { parseHost, parseTarget } from '../../src/http/target.ts';
import { refusal } from '../support/handshakes.ts';

describe('a request target', () => {
  test.each([
    ['/', '/', ''],
    ['/chat', '/chat', ''],
    ['/chat/', '/chat/', ''],
    ['/chat?', '/chat', ''],
    ['/chat?a=b&c', '/chat', 'a=b&c'],
    ['/chat?a=../b//c?d', '/chat', 'a=../b//c?d'],
    ['/a%20b/caf%C3%A9', '/a%20b/caf%C3%A9', ''],
    ['/a.b/.well-known/..c/...', '/a.b/.well-known/..c/...', ''],
    ['/x;jsessionid=1', '/x;jsessionid=1', ''],
    ["/-._~!$&'()*+,;=:@|[]{}^`", "/-._~!$&'()*+,;=:@|[]{}^`", ''],
    ['/a?<>"\\{}|^`', '/a', '<>"\\{}|^`'],
    ['/%2525', '/%2525', ''],
  ])('%s is taken apart', (target, path, query) => {
    expect(parseTarget(target)).toEqual({ path, query });
  });

  test.each([
    ['nothing', ''],
    ['a star', '*'],
    ['another host', 'http://169.254.169.254/latest'],
    ['a lone authority', 'evil.example:80'],
    ['no slash', 'chat'],
    ['another host without a scheme', '//evil.example/x'],
    ['an empty segment', '/a//b'],
    ['a fragment', '/a#b'],
    ['a fragment in the query', '/a?b#c'],
    ['a dot-segment', '/a/../b'],
    ['a last dot-segment', '/a/..'],
    ['a single dot', '/a/./b'],
    ['an escaped dot-segment', '/a/%2e%2e/b'],
    ['a half-escaped dot-segment', '/a/.%2E/b'],
    ['an escaped single dot', '/%2e'],
    ['a dot-segment with parameters', '/a/..;/b'],
    ['a dot-segment with parameters and escapes', '/a/%2e.;x=1/b'],
    ['a dot-segment with an escaped semicolon', '/a/..%3bx/b'],
    ['an escaped slash', '/a%2fb'],
    ['an escaped slash in upper case', '/a%2Fb'],
    ['an escaped backslash', '/a%5cb'],
    ['a backslash', '/a\\b'],
    ['an escaped NUL', '/a%00b'],
    ['an escaped line break', '/a%0d%0ab'],
    ['an escaped DEL', '/a%7fb'],
    ['an escaped C1 control', '/a%C2%85b'],
    ['a NUL', '/a\u0000'],
    ['a tab', '/a\tb'],
    ['a space in the query', '/a?b c'],
    ['a control in the query', '/a?b\u0001'],
    ['characters beyond ASCII', '/caf\u00e9'],
    ['characters beyond ASCII in the query', '/a?caf\u00e9'],
    ['a cut escape', '/a%2'],
    ['a lone percent sign', '/a%'],
    ['an escape that is no hexadecimal', '/a%zz'],
    ['an overlong slash', '/a%c0%af'],
    ['escapes that are no UTF-8', '/a%ff'],
    ['a quote', '/a"b'],
    ['angle brackets', '/<a>'],
  ])('with %s is refused', (_, target) => {
    expect(refusal(() => parseTarget(target)).code).toBe('BAD_REQUEST');
  });

  test('that is let through has no segment which decodes to something else than a name', () => {
    const part = fc.constantFrom('.', '/', '%2e', '%2f', '%5c', ';', 'a', '\\', '%00', '%', '?');
    fc.assert(
      fc.property(
        fc.oneof(
          fc.array(part).map((parts) => `/${parts.join('')}`),
          fc.webPath(),
        ),
        (target) => {
          try {
            const { path } = parseTarget(target);
            const url = new URL(path, 'http://host');
            expect(url.host).toBe('host');
            expect(decodeURIComponent(url.pathname)).toBe(decodeURIComponent(path));
          } catch (error) {
            expect(error).toBeInstanceOf(GatewayError);
          }
        },
      ),
    );
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
