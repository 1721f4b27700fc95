import type { Baseline } from './baseline.ts';
import type { Mutant } from './mutants.ts';
import { inStages, testsReaching } from './reach.ts';
import type { TestRun } from './vitest.ts';

/** What the tests made of a fault. One that makes them hang is found, too. */
export interface Verdict {
  readonly mutant: Mutant;
  readonly outcome: 'killed' | 'timeout' | 'survived';
  /** The test that found it. */
  readonly by: string | undefined;
}

export interface JudgeDeps {
  readonly sources: ReadonlyMap<string, string>;
  readonly baseline: Baseline;
  /** Runs those tests only that import the fault's file or are of its room. */
  readonly near: boolean;
  /** Runs tests with the fault in place. */
  readonly run: (mutant: Mutant, tests: readonly string[], timeoutMs: number) => Promise<TestRun>;
}

/** A test file that takes longer than this is tried after all others, in ms. */
const QUICK_MS = 4_000;
/** Start-up, and a busy machine, in ms. */
const GRACE_MS = 30_000;

/** Runs the tests that reach a fault, the nearest first, until one finds it. */
export async function judge(mutant: Mutant, { sources, baseline, near, run }: JudgeDeps): Promise<Verdict> {
  for (const stage of inStages(mutant.file, testsReaching(mutant.file, sources), near)) {
    const passing = await baseline.passing(stage);
    for (const tests of bySpeed(passing)) {
      const ms = tests.reduce((sum, test) => sum + (passing.get(test) ?? 0), 0);
      const { outcome, failure } = await run(mutant, tests, GRACE_MS + 3 * ms);
      if (outcome === 'timeout') return { mutant, outcome, by: undefined };
      if (outcome === 'failed') return { mutant, outcome: 'killed', by: failure };
    }
  }
  return { mutant, outcome: 'survived', by: undefined };
}

function bySpeed(passing: ReadonlyMap<string, number>): string[][] {
  const tests = [...passing.keys()];
  const isQuick = (test: string) => (passing.get(test) ?? 0) <= QUICK_MS;
  return [tests.filter(isQuick), tests.filter((test) => !isQuick(test))].filter(({ length }) => length > 0);
}
