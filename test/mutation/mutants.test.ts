import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { isEquivalent } from './equivalent.ts';
import { mutantsOf } from './mutants.ts';
import { OPERATORS } from './operators.ts';
import { parse } from './syntax.ts';

function afterEach(operator: string, text: string): string[] {
  return mutantsOf('a.ts', text)
    .filter((mutant) => mutant.operator === operator)
    .map(({ after }) => after);
}

describe.each<[string, [string, string[]][]]>([
  [
    'negate a condition',
    [
      ['if (a) b();', ['if (!(a)) b();']],
      ['if (!(a && b)) c();', ['if (a && b) c();']],
      ['while (a < b) c();', ['while (!(a < b)) c();']],
      ['for (; a; ) b();', ['for (; !(a); ) b();']],
      ['for (;;) b();', []],
      ['x = a ? b : c;', ['x = !(a) ? b : c;']],
      ['if (a === b) c();', []],
    ],
  ],
  [
    'swap an operator',
    [
      ['x = a < b;', ['x = a <= b;']],
      ['x = (a) !== (b);', ['x = (a) === (b);']],
      ['x = a && b || c;', ['x = a || b || c;', 'x = a && b && c;']],
      ['x = (a as number) - b!;', ['x = (a as number) + b!;']],
      ['x = a >>> 1;', ['x = a << 1;']],
      ['x -= 1;', ['x += 1;']],
      ['x++;', ['x--;']],
      ['--x;', ['++x;']],
      [`x = 'a' + b + c;`, []],
      ['x = a in b;', []],
    ],
  ],
  ['drop a fallback', [['x = a ?? (b);', ['x = a ;']]]],
  [
    'drop a statement',
    [
      ['a(b);', [';']],
      ['await a;', [';']],
      ['a = b;', [';']],
      ['a?.b();', [';']],
      ['void a();', [';']],
      ['if (a) throw b;', ['if (a) ;']],
      [
        'function f() { if (a) return; b(); }',
        ['function f() { if (a) ; b(); }', 'function f() { if (a) return; ; }'],
      ],
      ['class A extends B { constructor() { super(); } }', []],
      [`'use strict';`, []],
      ['const x = a();', []],
    ],
  ],
  [
    'drop a branch',
    [
      ['if (a) { b(); } else c();', ['if (a) { b(); }']],
      ['function f() { if (a) return b; }', ['function f() { ; }']],
      ['if (a) { b(); c(); }', [';']],
      ['if (a) { b(); }', []],
    ],
  ],
  [
    'return early',
    [
      ['function f() { a(); b(); }', ['function f() { return; a(); b(); }']],
      ['const f = () => { return a; };', ['const f = () => { return; return a; };']],
      ['const f = () => a;', []],
      ['function f() { a(); }', []],
    ],
  ],
  [
    'change a constant',
    [
      ['x = 0x10;', ['x = 17;']],
      ['x = true;', ['x = false;']],
      [`x = 'text';`, []],
      ['x = 10n;', []],
      ['const WAIT_MS = 5_000;', []],
      ['f({ waitMs: 60_000 });', []],
      ['const LONGEST_MS = 2_147_483_647;', ['const LONGEST_MS = 2147483648;']],
      ['const SIZE = 65_536;', ['const SIZE = 65537;']],
      ['let x: 1 | true;', []],
    ],
  ],
  [
    'drop a question mark',
    [
      ['x = a?.b;', ['x = a.b;']],
      ['x = a?.[b];', ['x = a[b];']],
      ['x = a?.(b);', ['x = a(b);']],
    ],
  ],
])('to %s', (operator, cases) => {
  test.each(cases)('%s', (text, expected) => {
    expect(afterEach(operator, text)).toEqual(expected);
  });
});

test('every operator has its cases above', () => {
  expect(Object.keys(OPERATORS)).toHaveLength(8);
});

test('types and imports are left alone', () => {
  const text = `import a from 'b';\ntype T = 1 | (2 extends 3 ? true : false);\ninterface I { x: 1 }\nabstract class A { abstract f(x?: 1): void; }\nclass B extends A<1> implements I {}\nf<1>(x as 2);`;
  expect(mutantsOf('a.ts', text).map(({ operator }) => operator)).toEqual(['drop a statement']);
});

test('a mutant says where it is, and holds the whole file', () => {
  const text = `// é🦊\nfunction f() {\n  if (a) {\n    return b;\n  }\n}\n`;
  expect(mutantsOf('a.ts', text).find(({ operator }) => operator === 'drop a branch')).toEqual({
    file: 'a.ts',
    line: 3,
    operator: 'drop a branch',
    before: 'if (a) {\n    return b;\n  }',
    after: ';',
    text: `// é🦊\nfunction f() {\n  ;\n}\n`,
  });
});

test('every mutant of a real file is TypeScript, and another program', () => {
  const text = readFileSync(new URL('../../src/frames/reader.ts', import.meta.url), 'utf8');
  const mutants = mutantsOf('src/frames/reader.ts', text);
  expect(mutants.length).toBeGreaterThan(100);
  expect(new Set(mutants.map((mutant) => mutant.text)).size).toBe(mutants.length);
  for (const mutant of mutants) {
    expect(mutant.text).not.toBe(text);
    expect(() => parse(mutant.text)).not.toThrow();
  }
});

test('a mutant that was judged to be none is known by its lines, wherever they stand', () => {
  const [mutant] = mutantsOf('a.ts', '\n\nif (a) b();');
  const judged = { file: 'a.ts', before: 'if (a) b();', after: 'if (!(a)) b();', why: 'a is never true' };
  expect(mutant && isEquivalent(mutant, [judged])).toBe(true);
  expect(mutant && isEquivalent(mutant, [{ ...judged, file: 'b.ts' }])).toBe(false);
  expect(mutant && isEquivalent(mutant, [{ ...judged, after: ';' }])).toBe(false);
});
