import { describe, expect, test } from 'vitest';
import { readHeader, unverifiedIssuer } from '../../../src/admission/token/jwt.ts';
import { encode, mint, mintText, signingKey } from '../../support/tokens.ts';

const key = signingKey('HS256');
const refused = expect.objectContaining({ code: 'TOKEN_INVALID' });

describe('a header', () => {
  test('gives alg and kid, and nothing else', () => {
    const token = mint(key, {}, { kid: 'k'.repeat(128), jku: 'http://evil.test/', typ: 'at+jwt' });
    expect(readHeader(token, ['HS256'])).toEqual({ alg: 'HS256', kid: 'k'.repeat(128) });
  });

  test.each([
    ['an algorithm that is not pinned', { alg: 'RS256' }],
    ['an algorithm in other letters', { alg: 'hs256' }],
    ['an algorithm every object has', { alg: 'toString' }],
    ['crit', { crit: ['exp'] }],
    ['crit of nothing', { crit: null }],
    ['b64', { b64: true }],
    ['enc', { enc: 'A256GCM' }],
    ['a kid of 129 characters', { kid: 'k'.repeat(129) }],
    ['a kid that is no text', { kid: 7 }],
  ])('is refused for %s', (_, header) => {
    expect(() => readHeader(mint(key, {}, header), ['HS256', 'HS384'])).toThrow(refused);
  });

  test('is all that is read: the payload may be anything yet', () => {
    expect(readHeader(`${encode('{"alg":"HS256"}')}.----.AAAA`, ['HS256']).alg).toBe('HS256');
  });
});

describe('an unverified issuer', () => {
  test.each([
    ['a text', '{"iss":"https://id.test/"}', 'https://id.test/'],
    ['the last of two', '{"iss":"a","iss":"b"}', 'b'],
    ['not a list', '{"iss":["a"]}', undefined],
    ['not an inherited one', '{"__proto__":{"iss":"a"}}', undefined],
    ['not there', '{}', undefined],
  ])('is %s', (_, payload, issuer) => {
    expect(unverifiedIssuer(mintText(key, '{}', payload))).toBe(issuer);
  });

  test.each([
    ['nothing', ''],
    ['a word', 'x'],
    ['two parts', 'a.b'],
    ['no JSON', 'a.b.c'],
    ['null', `e30.${encode('null')}.x`],
    ['a list', `e30.${encode('[]')}.x`],
    ['9 KiB', mint(key, { pad: 'x'.repeat(9_000) })],
  ])('is not read from %s', (_, token) => {
    expect(() => unverifiedIssuer(token)).toThrow(refused);
  });
});
