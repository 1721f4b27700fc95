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
    ['/a', '/A', undefined],
    ['/{x}:{y}', '/{z}', '/{x}:{y}'],
    ['/{x}:{y}', '/a:1', '/a:1'],
    ['/{x}:{y}', '/[::1]:22', '/[::1]:22'],
    ['/{x}:{y}', '/{a}::{b}', '/{a}::{b}'],
    ['/{x}:{y}/*', '/{z}/b', '/{x}:{y}/b'],
    ['/{x}:{y}', '/:1', undefined],
    ['/{x}:{y}', '/a:', undefined],
    ['/{x}:{y}', '/a', undefined],
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

describe('what two paths have in common where one is in any case', () => {
  test.each([
    ['/Admin/*', '/admin/x', '/admin/x', undefined],
    ['/Admin/*', '/ADMIN/*', '/ADMIN/*', undefined],
    ['/Admin/*', '/*', '/admin/*', true],
    ['/Admin/{x}', '/{y}/7', '/admin/7', true],
    ['/7/*', '/{y}/x', '/7/x', undefined],
    ['/Admin', '/other', undefined, undefined],
  ])('%s and %s: %s', (anyCase, exact, path, ignoreCase) => {
    const one = { path: anyCase, ignoreCase: true as const };
    const common =
      path === undefined ? undefined : { host: undefined, path, ...(ignoreCase && { ignoreCase }) };
    expect(intersection(one, { path: exact })).toEqual(common);
    expect(intersection({ path: exact }, one)).toEqual(common);
  });

  test.each([
    [{ path: '/Admin/*', ignoreCase: true }, { path: '/aDMIN/x' }, true],
    [{ path: '/Admin/*', ignoreCase: true }, { path: '/ADMIN/x', ignoreCase: true }, true],
    [{ path: '/admin/*' }, { path: '/admin/x', ignoreCase: true }, false],
    [{ path: '/7/*' }, { path: '/7/{x}', ignoreCase: true }, true],
    [{ path: '/*' }, { path: '/admin', ignoreCase: true }, true],
  ] as [Match, Match, boolean][])('%j covers %j: %s', (wide, narrow, isCovered) => {
    expect(covers(wide, narrow)).toBe(isCovered);
  });
});

test('two parts with different signs between them may have requests in common', () => {
  expect(intersection({ path: '/{a}:{b}' }, { path: '/{c}-{d}' })).toBeDefined();
});

const segment = fc.constantFrom('a', 'b', 'B', '7', '{x}', 'a:7', ':7', '{x}:{y}', '{x}::{y}', '{x}7{y}');
const pattern = fc
  .record({
    fixed: fc.array(segment, { minLength: 1, maxLength: 3 }),
    end: fc.constantFrom('', '/', '/*'),
    ignoreCase: fc.constantFrom(undefined, true as const),
  })
  .map(({ fixed, end, ignoreCase }): Match => ({ path: `/${fixed.join('/')}${end}`, ignoreCase }));
const paths = fc
  .tuple(
    fc.array(fc.constantFrom('a', 'A', 'b', 'B', '7', 'c', 'a:7', 'a:', ':7', '::', 'B::7', '171', 'a:77'), {
      minLength: 1,
      maxLength: 4,
    }),
    fc.constantFrom('', '/'),
  )
  .map(([segments, end]) => `/${segments.join('/')}${end}`);

function takes(match: Match, path: string): boolean {
  return createRouter([{ match, upgrade: {} }])('any', path, 'upgrade').route !== undefined;
}

function hasParts({ path }: Match): boolean {
  return /\}[^/{]+\{/.test(path);
}

test('patterns are compared as the router reads them', () => {
  fc.assert(
    fc.property(pattern, pattern, paths, (one, other, path) => {
      const common = intersection(one, other);
      const fitsBoth = takes(one, path) && takes(other, path);
      const fitsCommon = common !== undefined && takes(common, path);
      // Of one in any case and one that is not, and of two parts and two others, it may be more than what both match.
      const isExact = one.ignoreCase === other.ignoreCase && !(hasParts(one) && hasParts(other));
      if (isExact) expect(fitsCommon).toBe(fitsBoth);
      else if (fitsBoth) expect(fitsCommon).toBe(true);
      if (covers(one, other) && takes(other, path)) expect(takes(one, path)).toBe(true);
    }),
    { numRuns: 4_000 },
  );
});

test('parts of a segment are compared as the router reads them', () => {
  const parts = fc.constantFrom('{x}', '{x}:{y}', '{x}::{y}', '{x}7{y}', '{x}:7{y}', 'a:7', 'a7', ':', '::7');
  const texts = fc.string({ unit: fc.constantFrom('a', ':', '7'), minLength: 1, maxLength: 5 });
  fc.assert(
    fc.property(parts, parts, texts, (a, b, text) => {
      const [one, other, path] = [{ path: `/${a}` }, { path: `/${b}` }, `/${text}`];
      const common = intersection(one, other);
      if (takes(one, path) && takes(other, path)) expect(common && takes(common, path)).toBe(true);
      if (covers(one, other) && takes(other, path)) expect(takes(one, path)).toBe(true);
    }),
    { numRuns: 2_000 },
  );
});
