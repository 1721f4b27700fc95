import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { covers, intersection, type Match } from '../../src/config/patterns.ts';
import { createRouter } from '../../src/router.ts';

describe('what two paths have in common', () => {
  test.each([
    ['/*', '/*', '/*'],
    ['/*', '/', '/'],
    ['/*', '/a/*', '/a/*'],
    ['/a/*', '/a/b', '/a/b'],
    ['/a/*', '/a/', '/a/'],
    ['/a/*', '/{x}/b/*', '/a/b/*'],
    ['/{x}/b', '/a/{y}', '/a/b'],
    ['/{x}', '/{x}', '/{x}'],
    ['/a/*', '/a', undefined],
    ['/a/*', '/b/*', undefined],
    ['/a', '/a/', undefined],
    ['/{x}', '/', undefined],
    ['/a/{x}', '/a/b/c', undefined],
    ['/a/b/*', '/a/{x}', undefined],
  ])('%s and %s: %s', (one, other, common) => {
    expect(intersection({ path: one }, { path: other })?.path).toBe(common);
    expect(intersection({ path: other }, { path: one })?.path).toBe(common);
  });
});

describe('what two hosts have in common', () => {
  test.each([
    [undefined, undefined, undefined, true],
    [undefined, 'a.example', 'a.example', true],
    ['*.example', 'a.example', 'a.example', true],
    ['*.example', '*.example', '*.example', true],
    ['a.example', 'b.example', undefined, false],
    ['*.example', 'a.b.example', undefined, false],
    ['*.example', 'example', undefined, false],
  ])('%s and %s: %s', (one, other, common, isCommon) => {
    for (const [left, right] of [
      [one, other],
      [other, one],
    ]) {
      const both = intersection({ host: left, path: '/' }, { host: right, path: '/' });
      expect([both !== undefined, both?.host]).toEqual([isCommon, common]);
    }
  });
});

const segment = fc.constantFrom('a', 'b', '{x}', '');
const pattern = fc
  .tuple(fc.array(segment, { minLength: 1, maxLength: 3 }), fc.boolean())
  .map(([fixed, isOpen]) => `/${fixed.join('/')}${isOpen ? '/*' : ''}`);
const paths = fc
  .array(fc.constantFrom('a', 'b', 'c', ''), { minLength: 1, maxLength: 4 })
  .map((segments) => `/${segments.join('/')}`);

function takes(match: Match, path: string): boolean {
  return createRouter([{ match, upgrade: {} }])('any', path, 'upgrade').route !== undefined;
}

test('patterns are compared as the router reads them', () => {
  fc.assert(
    fc.property(pattern, pattern, paths, (one, other, path) => {
      const common = intersection({ path: one }, { path: other });
      const fitsBoth = takes({ path: one }, path) && takes({ path: other }, path);
      expect(common !== undefined && takes(common, path)).toBe(fitsBoth);
      if (covers({ path: one }, { path: other }) && takes({ path: other }, path))
        expect(takes({ path: one }, path)).toBe(true);
    }),
    { numRuns: 2_000 },
  );
});
