import { globSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { Baseline } from './baseline.ts';
import { isEquivalent } from './equivalent.ts';
import { judge, type Verdict } from './judge.ts';
import { type Mutant, mutantsOf } from './mutants.ts';
import { type Options, readOptions, USAGE } from './options.ts';
import { describe, scoreTable, toJson } from './report.ts';
import { sampleOf } from './sample.ts';
import { copyTree, type Tree } from './tree.ts';
import { runTests } from './vitest.ts';

/** `npm run test:mutation`: which faults would the tests let pass? */

const ROOT = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '');
const BASELINE_MS = 20 * 60_000;

const stop = new AbortController();
for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, () => stop.abort(new Error(name)));

async function main(argv: readonly string[]): Promise<void> {
  if (argv.includes('--help')) return void process.stdout.write(USAGE);
  const options = readOptions(argv);
  const sources = await readSources();
  const chosen = choose(options, sources);
  if (options.list)
    return print(chosen.map((mutant) => describe({ mutant, outcome: 'survived', by: '' })).join('\n'));
  print(`${chosen.length} faults, seed ${options.seed}`);
  const verdicts = await tryAll(chosen, options, sources);
  await mkdir(`${ROOT}/test/.results`, { recursive: true });
  await writeFile(`${ROOT}/test/.results/mutation.json`, toJson(options.seed, verdicts));
  print(`\n${scoreTable(verdicts)}\n\nall in test/.results/mutation.json`);
}

async function readSources(): Promise<Map<string, string>> {
  const paths = globSync(['src/**/*.ts', 'test/**/*.ts', 'bench/**/*.ts'], { cwd: ROOT })
    // These need servers that are not always there, and minutes.
    .filter((path) => !/^test\/(system|browser|mutation)\//.test(path))
    .sort();
  const entries = paths.map(async (path) => [path, await readFile(`${ROOT}/${path}`, 'utf8')] as const);
  return new Map(await Promise.all(entries));
}

function choose({ rooms, only, sample, seed }: Options, sources: ReadonlyMap<string, string>): Mutant[] {
  const isWanted = (file: string) =>
    only === undefined
      ? rooms.includes(file.split('/')[1] ?? '') && file.startsWith('src/')
      : file === only.file;
  const files = [...sources].filter(([file]) => isWanted(file));
  const all = files
    .flatMap(([file, text]) => mutantsOf(file, text))
    .filter((mutant) => !isEquivalent(mutant));
  if (only === undefined) return sampleOf(all, sample, seed);
  return all.filter(({ line }) => only.line === undefined || line === only.line);
}

/** Tries them in as many trees as there are jobs. Ends early, with what is known by then, when the process is told to stop. */
async function tryAll(
  mutants: readonly Mutant[],
  { seed, jobs }: Options,
  sources: ReadonlyMap<string, string>,
): Promise<Verdict[]> {
  const trees: Tree[] = [];
  const verdicts: Verdict[] = [];
  const waiting = [...mutants];
  const { signal } = stop;

  async function plant(): Promise<Tree> {
    const tree = await copyTree(ROOT);
    trees.push(tree);
    return tree;
  }

  async function work(baseline: Baseline): Promise<void> {
    const tree = await plant();
    const run = (mutant: Mutant, tests: readonly string[], timeoutMs: number) =>
      tree.withFile(mutant.file, mutant.text, () =>
        runTests({ tree: tree.path, tests, timeoutMs, jobs, seed, bail: true, signal }),
      );
    for (let mutant = waiting.shift(); mutant !== undefined; mutant = waiting.shift()) {
      const verdict = await judge(mutant, { sources, baseline, run });
      verdicts.push(verdict);
      print(`${verdicts.length}/${mutants.length} ${verdict.outcome} ${mutant.file}:${mutant.line}`);
      if (verdict.outcome === 'survived') print(describe(verdict));
    }
  }

  const working: Promise<void>[] = [];
  try {
    const { path } = await plant();
    const healthy = (tests: readonly string[]) =>
      runTests({ tree: path, tests, timeoutMs: BASELINE_MS, jobs, seed, bail: false, signal });
    const baseline = new Baseline(healthy, print);
    for (let job = 0; job < jobs; job++) working.push(work(baseline));
    await Promise.all(working);
  } catch (error) {
    if (!signal.aborted) throw error;
    print(`stopped by ${signal.reason.message}`);
    process.exitCode = 130;
  } finally {
    stop.abort();
    // Each takes its fault out again before its tree goes.
    await Promise.allSettled(working);
    await Promise.all(trees.map((tree) => tree.remove()));
  }
  return verdicts;
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

await main(process.argv.slice(2));
