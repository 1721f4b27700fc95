import { describe, expect, test } from 'vitest';
import { Concealment } from '../../src/upstream/concealment.ts';

function hiding(secrets: readonly string[], parameters: readonly string[] = []): Concealment {
  const concealment = new Concealment(parameters);
  concealment.hide(secrets);
  return concealment;
}

describe('a text', () => {
  test.each([
    ['sk-abc.def', 'sk-abc.def', true],
    ['sk-abc.def', 'Bearer sk-abc.def!', true],
    ['sk-abc.def', 'sk-abcXdef', false],
    ['a+b/c==&d', 'x?key=a%2Bb%2Fc%3D%3D%26d', true],
    ['a+b/c==&d', 'a+b/c==&d', true],
    ['^a.c$(x)[1]|\\', '^a.c$(x)[1]|\\', true],
    ['short', 'short', false],
  ])('with the secret %s: %s tells it: %s', (secret, text, expected) => {
    expect(hiding([secret]).isIn(text)).toBe(expected);
  });

  test('tells nothing where nothing is secret, or nothing is any more', () => {
    expect(hiding([]).isIn('')).toBe(false);
    const concealment = hiding(['sk-abcdef']);
    concealment.hide(['sk-ghijkl']);
    expect(['sk-abcdef', 'sk-ghijkl'].map((text) => concealment.isIn(text))).toEqual([false, true]);
  });
});

test('a body that tells a secret is left out', () => {
  const concealment = hiding(['sk-abcdef']);
  expect(concealment.body(Buffer.from('wrong key: sk-abcdef')).toString()).toBe('');
  expect(concealment.body(Buffer.from('wrong key: sk-***def')).toString()).toBe('wrong key: sk-***def');
});

test('fields that tell a secret are left out', () => {
  const raw = ['X-A', '1', 'X-Echo', 'Bearer sk-abcdef', 'Set-Cookie', 'k=sk-abcdef', 'x-b', '2'];
  expect(hiding(['sk-abcdef']).fields(raw)).toEqual(['X-A', '1', 'x-b', '2']);
});

describe('a place', () => {
  test.each([
    ['/x?key=sk-abcdef', '/x'],
    ['/x?a=%20&key=sk-abcdef&b#f?key=1', '/x?a=%20&b#f?key=1'],
    ['https://a.example/x?k%65y=sk%2Dabcdef', 'https://a.example/x'],
    ['?key=sk-abcdef', ''],
    ['/x?key=other', '/x?key=other'],
    ['/x?', '/x?'],
    ['/x#key=1', '/x#key=1'],
    ['/x?key=tiny', '/x'],
    ['/x?other=tiny', '/x?other=tiny'],
    ['/x?key=Token%20sk-abcdef', '/x'],
  ])('%s is told as %s', (location, expected) => {
    const concealment = hiding(['sk-abcdef', 'tiny'], ['v', 'key']);
    for (const name of ['Location', 'content-location'])
      expect(concealment.fields([name, location])).toEqual([name, expected]);
  });

  test.each(['/x?next=sk-abcdef', '/sk-abcdef/?key=sk-abcdef', '/x?next=%2Fx%3Fkey%3Dsk-abcdef'])(
    'that tells a secret elsewhere is left out: %s',
    (location) => {
      expect(hiding(['sk-abcdef'], ['key']).fields(['Location', location])).toEqual([]);
    },
  );

  test('is nothing else’s business', () => {
    expect(hiding(['tiny'], ['key']).fields(['X-Location', '/x?key=tiny'])).toEqual([
      'X-Location',
      '/x?key=tiny',
    ]);
  });
});
