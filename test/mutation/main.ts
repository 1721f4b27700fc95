import { globSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { Baseline } from './baseline.ts';
import { isEquivalent } from './equivalent.ts';
import { type JudgeDeps, judge, type Verdict } from './judge.ts';
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
    .filter((path) => !/^test\/(system|browser|apps|mutation)\//.test(path))
    .sort();
  const entries = paths.map(async (path) => [path, await readFile(`${ROOT}/${path}`, 'utf8')] as const);
  return new Map(await Promise.all(entries));
}

function choose({ rooms, only, sample, seed }: Options, sources: ReadonlyMap<string, string>): Mutant[] {
  const isWanted = (file: string) =>
    only === undefined
      ? rooms.includes(file.split('/')[1] ?? '') && file.startsWith('src/')
      : only.some((place) => place.file === file);
  const files = [...sources].filter(([file]) => isWanted(file));
  const all = files.flatMap(([file, text]) => mutantsOf(file, text));
  const chosen =
    only === undefined
      ? sampleOf(all, sample, seed)
      : all.filter((mutant) =>
          only.some(({ file, line }) => file === mutant.file && (line ?? mutant.line) === mutant.line),
        );
  // Left out last, so that a seed goes on choosing the same ones.
  return chosen.filter((mutant) => !isEquivalent(mutant));
}

/** Tries them in as many trees as there are jobs. Ends early, with what is known by then, when the process is told to stop. */
async function tryAll(
  mutants: readonly Mutant[],
  options: Options,
  sources: ReadonlyMap<string, string>,
): Promise<Verdict[]> {
  const trees: Tree[] = [];
  const verdicts: Verdict[] = [];
  const waiting = [...mutants];
  let working: Promise<void>[] = [];
  try {
    while (trees.length <= options.jobs) trees.push(await copyTree(ROOT));
    const [healthy, ...sick] = trees as [Tree, ...Tree[]];
    const baseline = new Baseline((tests) => run(healthy, tests, BASELINE_MS, options, false), print);
    working = sick.map(async function work(tree) {
      for (let mutant = waiting.shift(); mutant !== undefined; mutant = waiting.shift()) {
        const deps = { sources, baseline, near: options.near, run: faulty(tree, options) };
        verdicts.push(await judge(mutant, deps));
        tell(verdicts, mutants.length);
      }
    });
    await Promise.all(working);
  } catch (error) {
    if (!stop.signal.aborted) throw error;
    print(`stopped by ${stop.signal.reason.message}`);
    process.exitCode = 130;
  } finally {
    stop.abort();
    // Each takes its fault out again before its tree goes.
    await Promise.allSettled(working);
    await Promise.all(trees.map((tree) => tree.remove()));
  }
  return verdicts;
}

function run({ path }: Tree, tests: readonly string[], timeoutMs: number, options: Options, bail = true) {
  const { jobs, seed } = options;
  return runTests({ tree: path, tests, timeoutMs, jobs, seed, bail, signal: stop.signal });
}

/** Runs tests in a tree with a fault in it. */
function faulty(tree: Tree, options: Options): JudgeDeps['run'] {
  return ({ file, text }, tests, timeoutMs) =>
    tree.withFile(file, text, () => run(tree, tests, timeoutMs, options));
}

function tell(verdicts: readonly Verdict[], of: number): void {
  const last = verdicts.at(-1) as Verdict;
  print(`${verdicts.length}/${of} ${last.outcome} ${last.mutant.file}:${last.mutant.line}`);
  if (last.outcome === 'survived') print(describe(last));
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

await main(process.argv.slice(2));
