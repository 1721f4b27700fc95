import { expect, test, vi } from 'vitest';
import { Baseline } from './baseline.ts';
import { judge } from './judge.ts';
import { mutantsOf } from './mutants.ts';
import { readOptions } from './options.ts';
import { describe as describeVerdict, scoreTable, toJson } from './report.ts';
import type { TestRun } from './vitest.ts';

const [MUTANT] = mutantsOf('src/a/x.ts', 'if (a) b();');
const mutant = MUTANT as NonNullable<typeof MUTANT>;
const NEAR = 'test/a/x.test.ts';
const SLOW = 'test/b/slow.test.ts';
const FAR = 'test/b/far.test.ts';
const SICK = 'test/b/sick.test.ts';
const SOURCES = new Map([
  ['src/a/x.ts', ''],
  ['src/b.ts', `import '../src/a/x.ts';`],
  [NEAR, `import '../../src/a/x.ts';`],
  ...[SLOW, FAR, SICK].map((path): [string, string] => [path, `import '../../src/b.ts';`]),
]);
const MS = new Map([
  [NEAR, 100],
  [SLOW, 60_000],
  [FAR, 200],
]);

/** A judge of tests that are not there: which of them find the fault is told. */
function court(finders: readonly string[], outcome: TestRun['outcome'] = 'failed') {
  const runs: { tests: readonly string[]; timeoutMs: number }[] = [];
  const warnings: string[] = [];
  const healthy = async (tests: readonly string[]): Promise<TestRun> => ({
    outcome: 'passed',
    failure: undefined,
    passedIn: new Map([...MS].filter(([path]) => tests.includes(path))),
  });
  const baseline = new Baseline(healthy, (text) => void warnings.push(text));
  async function run(_mutant: unknown, tests: readonly string[], timeoutMs: number): Promise<TestRun> {
    runs.push({ tests, timeoutMs });
    const finder = tests.find((path) => finders.includes(path));
    if (finder === undefined) return { outcome: 'passed', failure: undefined, passedIn: new Map() };
    return { outcome, failure: finder, passedIn: new Map() };
  }
  return {
    runs,
    warnings,
    verdict: (near = false) => judge(mutant, { sources: SOURCES, baseline, near, run }),
  };
}

test('a fault that the nearest test finds is looked for no further', async () => {
  const { runs, verdict } = court([NEAR, FAR]);
  expect(await verdict()).toEqual({ mutant, outcome: 'killed', by: NEAR });
  expect(runs.map(({ tests }) => tests)).toEqual([[NEAR]]);
});

test('the slow tests come last, and each run has thrice the time it needs, and some', async () => {
  const { runs, verdict } = court([]);
  expect(await verdict()).toMatchObject({ outcome: 'survived' });
  expect(runs).toEqual([
    { tests: [NEAR], timeoutMs: 30_300 },
    { tests: [FAR], timeoutMs: 30_600 },
    { tests: [SLOW], timeoutMs: 210_000 },
  ]);
});

test('only the tests nearby are run where no more is asked for', async () => {
  const { runs, verdict } = court([FAR]);
  expect(await verdict(true)).toMatchObject({ outcome: 'survived' });
  expect(runs.map(({ tests }) => tests)).toEqual([[NEAR]]);
});

test('a test that fails without a fault is left out, with a word', async () => {
  const { runs, warnings, verdict } = court([SICK]);
  expect(await verdict()).toMatchObject({ outcome: 'survived' });
  expect(runs.flatMap(({ tests }) => tests)).not.toContain(SICK);
  expect(warnings.at(-1)).toBe(`left out: ${SICK}`);
});

test('a test that fails but once without a fault is not left out', async () => {
  const runs: (readonly string[])[] = [];
  const baseline = new Baseline(async (tests) => {
    runs.push(tests);
    const passing = runs.length === 1 ? [NEAR] : tests;
    return { outcome: 'failed', failure: SICK, passedIn: new Map(passing.map((path) => [path, 5])) };
  }, vi.fn());
  expect([...(await baseline.passing([NEAR, SICK])).keys()]).toEqual([NEAR, SICK]);
  expect(runs).toEqual([[NEAR, SICK], [SICK]]);
});

test('a fault that makes a test hang is found', async () => {
  expect(await court([FAR], 'timeout').verdict()).toMatchObject({ outcome: 'timeout' });
});

test('the report names survivors by file and line, and scores each room', () => {
  const verdicts = [
    { mutant, outcome: 'survived', by: undefined },
    { mutant, outcome: 'killed', by: NEAR },
    { mutant: { ...mutant, file: 'src/b/y.ts' }, outcome: 'timeout', by: undefined },
  ] as const;
  expect(describeVerdict(verdicts[0])).toBe(
    'src/a/x.ts:1 negate a condition\n  - if (a) b();\n  + if (!(a)) b();',
  );
  expect(
    scoreTable(verdicts)
      .split('\n')
      .map((line) => line.trim().split(/\s+/).join(' ')),
  ).toEqual(['a 1/2 50 %', 'b 1/1 100 %', 'all 2/3 67 %']);
  expect(JSON.parse(toJson(7, verdicts))).toMatchObject({
    seed: 7,
    verdicts: [{ line: 1 }, { by: NEAR }, {}],
  });
});

test('options are read, or refused with a word', () => {
  expect(readOptions(['--rooms', 'frames,bridge', '--sample', '5', '--seed', '3', '--jobs', '2'])).toEqual({
    rooms: ['frames', 'bridge'],
    only: undefined,
    sample: 5,
    seed: 3,
    near: false,
    jobs: 2,
    list: false,
  });
  expect(readOptions(['--only', 'src/a.ts:12,src/b.ts', '--near'])).toMatchObject({
    only: [
      { file: 'src/a.ts', line: 12 },
      { file: 'src/b.ts', line: undefined },
    ],
    near: true,
  });
  expect(() => readOptions(['--sample', 'many'])).toThrow('--sample: many is not a number');
  expect(() => readOptions(['--what'])).toThrow(/what/);
});
