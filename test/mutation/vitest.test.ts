import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually } from '../support/patience.ts';
import { copyTree } from './tree.ts';
import { runTests } from './vitest.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const FILES = {
  'test/vitest.config.ts': `export default { test: { projects: [{ test: { name: 'unit', include: ['test/*.test.ts'] } }] } };`,
  'test/good.test.ts': `import { test } from 'vitest'; test('is good', () => {});`,
  'test/bad.test.ts': `import { test } from 'vitest'; test('is bad', () => { throw new Error(); });`,
  'test/late.test.ts': `import { test } from 'vitest'; test('is late', () => void Promise.reject(new Error('nobody cares')));`,
  'test/hang.test.ts': `import { writeFileSync } from 'node:fs';
writeFileSync('pid', String(process.pid));
Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);`,
};

let tree: string;
beforeAll(async () => {
  tree = await mkdtemp(join(tmpdir(), 'sallyport-mutation-test-'));
  await mkdir(join(tree, 'test'));
  for (const [path, text] of Object.entries(FILES)) await writeFile(join(tree, path), text);
  await symlink(join(ROOT, 'node_modules'), join(tree, 'node_modules'));
});
afterAll(() => rm(tree, { recursive: true }));

function run(tests: string[], timeoutMs = 60_000, signal = new AbortController().signal) {
  return runTests({ tree, tests, timeoutMs, jobs: 2, seed: 1, bail: true, signal });
}

test('tests that pass are told with their times', async () => {
  const { outcome, passedIn } = await run(['test/good.test.ts']);
  expect(outcome).toBe('passed');
  expect([...passedIn]).toEqual([['test/good.test.ts', expect.any(Number)]]);
});

test('a test that fails is named', async () => {
  expect(await run(['test/bad.test.ts', 'test/good.test.ts'])).toMatchObject({
    outcome: 'failed',
    failure: 'test/bad.test.ts: is bad',
  });
});

test('an error that nobody has caught is a failure', async () => {
  expect(await run(['test/late.test.ts'])).toMatchObject({ outcome: 'failed' });
});

test('a test that hangs is ended with all its processes when its time is up', async () => {
  const pid = await hungFor(4_000);
  await eventually(async () => !(await isRunning(pid)), `the end of ${pid}`);
}, 120_000);

/** The process of a test that had begun before its time was up: twice the time where the machine took it to load Vitest. */
async function hungFor(timeoutMs: number): Promise<string> {
  expect(await run(['test/hang.test.ts'], timeoutMs)).toMatchObject({ outcome: 'timeout' });
  const pid = await readFile(join(tree, 'pid'), 'utf8').catch(() => undefined);
  return pid ?? hungFor(2 * timeoutMs);
}

test('nothing runs on when it is told to stop', async () => {
  await rm(join(tree, 'pid'), { force: true });
  const stop = new AbortController();
  const running = run(['test/hang.test.ts'], 60_000, stop.signal);
  running.catch(() => {});
  const pidOf = () => readFile(join(tree, 'pid'), 'utf8').catch(() => '');
  await eventually(async () => (await pidOf()) !== '', 'a test that hangs', 30_000);
  stop.abort(new Error('SIGINT'));
  await expect(running).rejects.toThrow('SIGINT');
  const pid = await pidOf();
  await eventually(async () => !(await isRunning(pid)), `the end of ${pid}`);
  await expect(run(['test/good.test.ts'], 15_000, stop.signal)).rejects.toThrow('SIGINT');
}, 120_000);

/** Not counting what has ended and waits for its parent to notice. */
async function isRunning(pid: string): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => ') Z');
  return !/\) Z/.test(stat);
}

test('a copy of the project takes a fault for as long as it is tried, and the project none', async () => {
  const copy = await copyTree(tree);
  const place = join(copy.path, 'test/good.test.ts');
  const put = await copy.withFile('test/good.test.ts', 'a fault', () => readFile(place, 'utf8'));
  expect(put).toBe('a fault');
  expect(await readFile(place, 'utf8')).toBe(FILES['test/good.test.ts']);
  expect(await readFile(join(tree, 'test/good.test.ts'), 'utf8')).toBe(FILES['test/good.test.ts']);
  expect(await readFile(join(copy.path, 'node_modules/vitest/package.json'), 'utf8')).toContain('"vitest"');
  await copy.remove();
  await expect(readFile(place)).rejects.toThrow('ENOENT');
});
