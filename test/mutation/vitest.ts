import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';

/** What a run of some tests came to. */
export interface TestRun {
  readonly outcome: 'passed' | 'failed' | 'timeout';
  /** The first test that failed, or what the run said where none got so far. */
  readonly failure: string | undefined;
  /** How many milliseconds each test file took that passed as a whole. */
  readonly passedIn: ReadonlyMap<string, number>;
}

export interface RunOptions {
  /** Root of the tree. */
  readonly tree: string;
  readonly tests: readonly string[];
  readonly timeoutMs: number;
  /** Runs at the same time: the machine is shared among them. */
  readonly jobs: number;
  /** Of the values that properties try. */
  readonly seed: number;
  /** Ends at the first failure. */
  readonly bail: boolean;
  /** Ends everything at once; the promise then rejects with its reason. */
  readonly signal: AbortSignal;
}

interface Report {
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly message: string;
    readonly startTime: number;
    readonly endTime: number;
    readonly assertionResults: readonly { readonly fullName: string; readonly status: string }[];
  }[];
}

/** Runs tests in a process group of their own, which is killed as a whole when time is up. */
export async function runTests(options: RunOptions): Promise<TestRun> {
  const { tree, timeoutMs, signal } = options;
  signal.throwIfAborted();
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-report-'));
  try {
    const child = start(options, join(folder, 'report.json'));
    const { isLate, code, said } = await finished(child, timeoutMs, signal);
    if (isLate) return { outcome: 'timeout', failure: undefined, passedIn: new Map() };
    return read(await readReport(folder), { tree, code, said });
  } finally {
    await rm(folder, { recursive: true });
  }
}

function start({ tree, tests, jobs, seed, bail }: RunOptions, report: string): ChildProcess {
  const flags = ['--reporter=json', `--outputFile=${report}`, '--project=unit', `--bail=${bail ? 1 : 0}`];
  const workers = Math.max(1, Math.floor(availableParallelism() / jobs));
  return spawn(
    process.execPath,
    [
      ...['node_modules/vitest/vitest.mjs', 'run', '--config=test/vitest.config.ts'],
      ...[...flags, `--maxWorkers=${workers}`, ...tests],
    ],
    // A group of its own: what the tests start ends with them.
    {
      cwd: tree,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, FC_SEED: String(seed) },
    },
  );
}

async function finished(child: ChildProcess, timeoutMs: number, signal: AbortSignal) {
  let isLate = false;
  let said = '';
  const keep = (chunk: Buffer) => {
    said = `${said}${chunk}`.slice(-2_000);
  };
  child.stdout?.on('data', keep);
  child.stderr?.on('data', keep);
  const kill = () => killGroup(child);
  const timer = setTimeout(() => {
    isLate = true;
    kill();
  }, timeoutMs);
  signal.addEventListener('abort', kill);
  try {
    const [code] = (await once(child, 'exit')) as [number | null];
    signal.throwIfAborted();
    return { isLate, code, said };
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', kill);
    // What a test has left running must not disturb the next.
    kill();
  }
}

function killGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // Nobody of the group is left.
  }
}

async function readReport(folder: string): Promise<Report | undefined> {
  const text = await readFile(join(folder, 'report.json'), 'utf8').catch(() => undefined);
  return text === undefined ? undefined : (JSON.parse(text) as Report);
}

function read(report: Report | undefined, run: { tree: string; code: number | null; said: string }): TestRun {
  if (report === undefined) return { outcome: 'failed', failure: run.said, passedIn: new Map() };
  const { testResults } = report;
  const pathOf = (name: string) => name.replace(`${run.tree}/`, '');
  const passedIn = new Map(
    testResults
      .filter(({ status }) => status === 'passed')
      .map(({ name, startTime, endTime }) => [pathOf(name), endTime - startTime]),
  );
  const bad = testResults.find(({ status }) => status === 'failed');
  // Errors that nobody has caught fail a run in which every test passed.
  if (bad === undefined && run.code === 0) return { outcome: 'passed', failure: undefined, passedIn };
  if (bad === undefined) return { outcome: 'failed', failure: run.said, passedIn };
  const failure = bad.assertionResults.find(({ status }) => status === 'failed')?.fullName ?? bad.message;
  return { outcome: 'failed', failure: `${pathOf(bad.name)}: ${failure}`, passedIn };
}
