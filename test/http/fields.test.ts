import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseParameters, readFields, splitList } from '../../src/http/fields.ts';
import { refusal } from '../support/handshakes.ts';

describe('header fields', () => {
  test('keep their order, names and values', () => {
    const fields = readFields(['Host', 'a', 'X-B', '1', 'x-b', '2', 'X-Latin', 'caf\u00e9\t!']);
    expect(fields.list).toEqual([
      ['Host', 'a'],
      ['X-B', '1'],
      ['x-b', '2'],
      ['X-Latin', 'caf\u00e9\t!'],
    ]);
    expect(fields.all('x-b')).toEqual(['1', '2']);
    expect(fields.all('x-c')).toEqual([]);
    expect(fields.one('host')).toBe('a');
    expect(fields.one('x-c')).toBeUndefined();
  });

  test('of a name that may come once are refused twice, even if equal', () => {
    expect(refusal(() => readFields(['A', '1', 'a', '1']).one('a')).code).toBe('BAD_REQUEST');
  });

  test.each([
    ['an empty name', '', 'x'],
    ['a space in the name', 'X Y', 'x'],
    ['a colon in the name', 'X:', 'x'],
    ['a control character', 'X', 'a\u0000b'],
    ['a line break', 'X', 'a\r\nY: b'],
    ['a DEL', 'X', 'a\u007fb'],
    ['more than a byte per character', 'X', 'a\u0100'],
  ])('are refused with %s', (_, name, value) => {
    expect(refusal(() => readFields([name, value])).code).toBe('BAD_REQUEST');
  });

  test('may be a hundred, not more', () => {
    const hundred = Array.from({ length: 100 }, (_, i) => [`x-${i}`, 'v']).flat();
    expect(readFields(hundred).list).toHaveLength(100);
    expect(refusal(() => readFields([...hundred, 'x', 'v'])).code).toBe('HEADERS_TOO_LARGE');
  });
});

test('a list over several fields is one list', () => {
  expect(splitList(['a, b', ' c,,d '])).toEqual(['a', 'b', 'c', '', 'd']);
  expect(splitList([])).toEqual([]);
});

describe('a list of parameters', () => {
  test.each([
    ['a', [[['a', undefined]]]],
    [
      'a;b=c',
      [
        [
          ['a', undefined],
          ['b', 'c'],
        ],
      ],
    ],
    [
      ' a ; b="x;y,z" , c ',
      [
        [
          ['a', undefined],
          ['b', 'x;y,z'],
        ],
        [['c', undefined]],
      ],
    ],
    ['a="q\\"\\\\"', [[['a', 'q"\\']]]],
    ['a=""', [[['a', '']]]],
  ])('reads %s', (text, elements) => {
    expect(parseParameters(text)).toEqual(elements);
  });

  test.each(['', ',', 'a,', 'a;', ';a', 'a=', '=a', 'a b', 'a="', 'a="b', 'a="b"c', 'a=b=c', 'a="\\', 'a\n'])(
    'refuses %j',
    (text) => {
      expect(parseParameters(text)).toBeUndefined();
    },
  );

  test('reads back whatever is written by the grammar', () => {
    const token = fc.stringMatching(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,8}$/);
    const value = fc.option(fc.string({ unit: fc.constantFrom('a', '"', '\\', ',', ';', '=', ' ') }), {
      nil: undefined,
    });
    const elements = fc.array(fc.array(fc.tuple(token, value), { minLength: 1, maxLength: 4 }), {
      minLength: 1,
      maxLength: 4,
    });
    const write = ([name, value]: [string, string | undefined]) =>
      value === undefined ? name : `${name}="${value.replace(/["\\]/g, '\\$&')}"`;
    fc.assert(
      fc.property(elements, (elements) => {
        const text = elements.map((element) => element.map(write).join(' ;\t')).join(', ');
        expect(parseParameters(text)).toEqual(elements);
      }),
    );
  });

  test('never throws', () => {
    const grammar = fc.constantFrom('a', '"', '\\', ',', ';', '=', ' ', '\t', '\0', 'é');
    const text = fc.oneof(fc.string({ unit: 'binary' }), fc.string({ unit: grammar, maxLength: 20 }));
    fc.assert(fc.property(text, (value) => void parseParameters(value)));
  });
});
