import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { GatewayError } from '../../src/errors.ts';
import { readingsOf } from '../../src/http/readings.ts';
import { refusal } from '../support/handshakes.ts';

/** Readings as texts, `|` between segments, in any order. */
function readings(path: string): string[] {
  return readingsOf(path)
    .map((segments) => segments.join('|'))
    .sort();
}

describe('a path that every server reads alike', () => {
  test.each([
    ['/', ''],
    ['/chat', 'chat'],
    ['/chat/', 'chat|'],
    ['/a.b/.well-known/..c/...', 'a.b|.well-known|..c|...'],
    ["/-._~!$&'()*+,=:@|[]{}^`", "-._~!$&'()*+,=:@|[]{}^`"],
    ['/a"<>b', 'a"<>b'],
    ['/%61dmin/k', 'admin|k'],
    ['/a%20b/caf%C3%A9', 'a b|café'],
    ['/%2525', '%25'],
    ['/%3F%23', '?#'],
    ['/a%7fb', 'a\u007fb'],
  ])('%s has one reading', (path, reading) => {
    expect(readings(path)).toEqual([reading]);
  });
});

describe('a path that servers read differently', () => {
  test.each([
    ['an encoded slash', '/a%2Fb', ['a/b', 'a|b']],
    ['an encoded slash at its end', '/a%2f', ['a/', 'a|']],
    ['an encoded backslash', '/a%5Cb', ['a\\b', 'a|b']],
    ['a backslash', '/a\\b', ['a\\b', 'a|b']],
    ['an empty segment', '/a//b', ['a|', 'a|b', 'a||b']],
    ['a host of its own', '//a/b', ['a|b', 'b', '|a|b']],
    ['nothing but slashes', '//', ['', '|']],
    ['an empty segment at its end', '/a//', ['a|', 'a||']],
    ['parameters', '/a;b/c', ['a;b|c', 'a|c']],
    ['escaped parameters', '/a%3Bb/c', ['a;b|c', 'a|c']],
    ['parameters alone', '/;x/a', [';x|a', 'a', '|a'].concat([''])],
    ['bytes that are not UTF-8', '/caf%E9', ['caf\u00e9', 'caf\ufffd']],
    ['some bytes that are not UTF-8', '/%C3%A9/%FF', ['é|\u00ff', 'é|\ufffd']],
    ['a NUL', '/a%00b/c', ['a', 'a\u0000b|c']],
    ['a line break', '/a%0A', ['a', 'a\n']],
  ])('for %s has each of them: %s', (_, path, expected) => {
    expect(readings(path)).toEqual(expected.toSorted());
  });

  test.each([
    ['an encoded slash in parameters', '/a;b%2Fc', ['a', 'a;b/c', 'a;b|c', 'a|c']],
    ['an encoded backslash and slash', '/a%5Cb%2Fc', ['a\\b/c', 'a\\b|c', 'a|b/c', 'a|b|c']],
    ['escaped parameters before others', '/a%3Bb;c', ['a', 'a;b', 'a;b;c']],
  ])('for %s has their combinations: %s', (_, path, expected) => {
    expect(readings(path)).toEqual(expected);
  });

  test.each([
    ['a slash that is too long in UTF-8', '/a%c0%afb', 'a|b'],
    ['a NUL that is too long', '/a%C0%80b', 'a'],
    ['a host behind backslashes', '/\\a\\b', 'b'],
    ['a host behind what is left out', '/app//host/x', 'app|x'],
    ['parameters, slashes and an encoded slash', '/;a%2F/;b//c;d', 'c'],
  ])('for %s has that reading, too: %s', (_, path, expected) => {
    expect(readings(path)).toContain(expected);
  });

  test.each(['/a%2Fb', '/a;b/%E9', '//a', '/x%00'])('is split as sent in the first: %s', (path) => {
    const [first] = readingsOf(path);
    expect(first).toHaveLength(path.split('/').length - 1);
  });
});

describe('a path is refused', () => {
  test.each([
    ['a dot-segment', '/a/../b'],
    ['a last dot-segment', '/a/..'],
    ['a lone dot', '/a/./b'],
    ['a first dot', '/.'],
    ['an escaped dot-segment', '/a/%2e%2e/b'],
    ['a half-escaped one', '/a/.%2E/b'],
    ['an escaped single dot', '/%2e'],
    ['one with parameters', '/a/..;/b'],
    ['one with parameters and escapes', '/a/%2e.;x=1/b'],
    ['one with an escaped semicolon', '/a/..%3bx/b'],
    ['one behind an encoded slash', '/a%2f..%2fb'],
    ['one behind a backslash', '/a\\..\\b'],
    ['one behind an encoded backslash', '/a%5c..'],
    ['one before a NUL', '/a/..%00x'],
    ['one behind parameters with an encoded slash', '/a;b%2f../c'],
    ['one that is too long in UTF-8', '/%c0%ae%c0%ae/a'],
  ])('for %s', (_, path) => {
    expect(refusal(() => readingsOf(path))).toMatchObject({
      code: 'BAD_REQUEST',
      detail: 'the path has a dot-segment',
    });
  });

  test.each([
    ['a cut escape', '/a%2'],
    ['a lone percent sign', '/a%'],
    ['an escape that is no hexadecimal', '/a%zz'],
    ['an escape of UTF-16', '/a%u002f'],
  ])('for %s', (_, path) => {
    expect(refusal(() => readingsOf(path))).toMatchObject({
      code: 'BAD_REQUEST',
      detail: 'the path has a malformed escape',
    });
  });

  test.each([
    ['more ways to read it than honest paths have', '/a;b%2f%3b%5c\\%00%E9%c0%af;%2f//c;d'],
    ['several ways to read it where it is very long', `/a%2Fb;c//${'x'.repeat(10_000)}`],
  ])('for %s', (_, path) => {
    expect(refusal(() => readingsOf(path))).toMatchObject({
      code: 'BAD_REQUEST',
      detail: 'the path can be read in too many ways',
    });
  });

  test('but not for its length', () => {
    expect(readings(`/a%2Fb/${'x'.repeat(16_000)}`)).toHaveLength(2);
  });
});

test('any path has few readings, none of them with a dot-segment, or is refused', () => {
  const piece = fc.constantFrom(
    '/',
    '//',
    '\\',
    '%2f',
    '%5C',
    ';',
    '%3B',
    '.',
    '%2e',
    '..',
    '%00',
    '%0a',
    '%E9',
    '%C3%A9',
    '%c0%af',
    '%',
    'a',
    'b',
    '"',
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 14 }), (pieces) => {
      try {
        const found = readingsOf(`/${pieces.join('')}`);
        expect(found.length).toBeLessThanOrEqual(128);
        expect(found.flat()).not.toContain('..');
        expect(found.flat()).not.toContain('.');
      } catch (error) {
        expect(error).toBeInstanceOf(GatewayError);
      }
    }),
    { numRuns: 2_000 },
  );
});
