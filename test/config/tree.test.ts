import { describe, expect, test } from 'vitest';
import { mapTexts, places, valueAt } from '../../src/config/tree.ts';

describe('places', () => {
  const tree = { routes: [{ name: 'a' }, { name: 'b', auth: 'none' }, 5, null], other: 'x' };

  test('finds what fits the pattern, in order', () => {
    expect(places(tree, 'routes.*.name')).toEqual([
      { path: ['routes', 0, 'name'], value: 'a' },
      { path: ['routes', 1, 'name'], value: 'b' },
    ]);
  });

  test.each(['routes.*.auth.issuer', 'other.*', 'nothing', 'toString', 'routes.length'])(
    'finds nothing at %s',
    (pattern) => {
      expect(places(tree, pattern)).toEqual([]);
    },
  );
});

describe('valueAt', () => {
  test('reads along a path', () => {
    expect(valueAt({ a: [{ b: 1 }] }, ['a', 0, 'b'])).toBe(1);
    expect(valueAt('text', [])).toBe('text');
  });

  test.each([[['constructor']], [['a', 'length']], [['b', 'c']], [['a', 0, 'x']]])(
    'has nothing at %j',
    (path) => {
      expect(valueAt({ a: 'text' }, path)).toBeUndefined();
    },
  );
});

describe('mapTexts', () => {
  test('copies, with every text replaced and told where it stands', () => {
    const tree = { a: ['x', 1, null], b: { c: 'y' } };
    expect(mapTexts(tree, (text, path) => `${path.join('.')}=${text}`)).toEqual({
      a: ['a.0=x', 1, null],
      b: { c: 'b.c=y' },
    });
    expect(tree.b.c).toBe('y');
  });

  test('gives up beyond any sensible depth', () => {
    let tree: unknown = 'x';
    for (let depth = 0; depth < 22; depth += 1) tree = [tree];
    expect(() => mapTexts(tree, (text) => text)).toThrow(RangeError);
  });
});
