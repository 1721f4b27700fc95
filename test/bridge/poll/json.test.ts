import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { changed, compilePointer, parseJson, scalarOf, textOf } from '../../../src/bridge/poll/json.ts';

describe('parseJson and textOf', () => {
  test.each([
    ['12345678901234567890'],
    ['{"id":9007199254740993}'],
    ['[1e400,-0.12345678901234567890,1E2]'],
    ['{"__proto__":{"a":1}}'],
  ])('gives %s back digit for digit', (text) => {
    expect(textOf(parseJson(text))).toBe(text);
  });

  test('passes over a byte order mark before the document, and none within', () => {
    expect(parseJson('\ufeff{"a":"\ufeffb"}')).toEqual({ a: '\ufeffb' });
  });

  test('sends a string as its content', () => {
    expect(textOf(parseJson('"h\\u00e9 1234567890123456"'))).toBe('hé 1234567890123456');
  });

  test('keeps any document', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const text = JSON.stringify(value);
        expect(JSON.stringify(parseJson(text))).toBe(text);
      }),
    );
  });
});

describe('scalarOf', () => {
  test.each([
    ['"abc"', 'abc'],
    ['17', '17'],
    ['9007199254740993', '9007199254740993'],
    ['null', undefined],
    ['true', undefined],
    ['{"rawJSON":"1"}', undefined],
    ['["a"]', undefined],
  ])('reads %s as %s', (text, expected) => {
    expect(scalarOf(parseJson(text))).toBe(expected);
  });
});

describe('compilePointer', () => {
  // The document of RFC 6901 §5.
  const document = { foo: ['bar', 'baz'], '': 0, 'a/b': 1, 'c%d': 2, ' ': 7, 'm~n': 8, '~1': 9 };
  test.each([
    ['/foo', ['bar', 'baz']],
    ['/foo/0', 'bar'],
    ['/', 0],
    ['/a~1b', 1],
    ['/c%d', 2],
    ['/ ', 7],
    ['/m~0n', 8],
    ['/~01', 9],
    ['/foo/-', undefined],
    ['/foo/01', undefined],
    ['/foo/length', undefined],
    ['/toString', undefined],
    ['/__proto__', undefined],
    ['/foo/0/0', undefined],
    ['/nowhere/else', undefined],
  ])('finds what stands at %s', (pointer, expected) => {
    expect(compilePointer(pointer)(document)).toEqual(expected);
  });

  test("finds the whole document at ''", () => {
    expect(compilePointer('')(document)).toBe(document);
  });

  test('finds a member of any name', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (outer, inner) => {
        const escaped = [outer, inner].map((key) => key.replaceAll('~', '~0').replaceAll('/', '~1'));
        const nested = JSON.parse(`{${JSON.stringify(outer)}:{${JSON.stringify(inner)}:1}}`);
        expect(compilePointer(`/${escaped.join('/')}`)(nested)).toBe(1);
      }),
    );
  });

  test('never throws, whatever it is pointed at', () => {
    fc.assert(
      fc.property(fc.string(), fc.jsonValue(), (pointer, value) => {
        expect(() => compilePointer(pointer)(value)).not.toThrow();
      }),
    );
  });
});

describe('changed', () => {
  const escaped = (key: string) => key.replaceAll('~', '~0').replaceAll('/', '~1');

  test('sets one member of any name, at any depth, and leaves the others as they are', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.string(), fc.jsonValue()),
        fc.string(),
        fc.string(),
        (given, outer, inner) => {
          const pointer = `/new/${escaped(outer)}/${escaped(inner)}`;
          const before = structuredClone(given);
          delete given.new;
          const after = changed(given, pointer, 7) as Record<string, unknown>;
          expect(compilePointer(pointer)(after)).toBe(7);
          delete before.new;
          delete after.new;
          expect(after).toEqual(before);
        },
      ),
    );
  });

  test('removes what is there, and changes nothing where there is nothing', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.string(), (given, key) => {
        const { [key]: _, ...rest } = structuredClone(given);
        expect(changed(given, `/${escaped(key)}`, undefined)).toEqual(rest);
        expect(changed(rest, `/${escaped(key)}/deeper`, undefined)).toEqual(rest);
      }),
    );
  });
});
