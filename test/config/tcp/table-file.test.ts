import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { ConfigError, formatProblem } from '../../../src/config/problem.ts';
import { readTable } from '../../../src/config/tcp/table-file.ts';

async function folderWith(files: Readonly<Record<string, string>>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-table-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
  return folder;
}

/** What is wrong with it, a line each; fails if nothing is. */
function faultsOf(source: string): string[] {
  try {
    readTable(source);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems.map((problem) => formatProblem('F', problem));
    throw error;
  }
  throw new Error('it was accepted');
}

test('a file has a target a line, as websockify reads them', async () => {
  const text =
    '# desks\n\n  desk-7: 10.0.0.7:5900  \r\na b:\t[::1]:5901\nsix: 2001:db8::1:5902\nx:y: h:1\nold: unix_socket:/run/v.sock\nnew: unix:v.sock\n';
  const folder = await folderWith({ desks: text });
  expect([...readTable(join(folder, 'desks')).entries]).toEqual([
    ['desk-7', { host: '10.0.0.7', port: 5900 }],
    ['a b', { host: '::1', port: 5901 }],
    ['six', { host: '2001:db8::1', port: 5902 }],
    ['x:y', { host: 'h', port: 1 }],
    ['old', { socketPath: '/run/v.sock' }],
    ['new', { socketPath: join(folder, 'v.sock') }],
  ]);
});

test('every line that cannot be used is named, and no name is told', async () => {
  const text =
    'secret1: nowhere\nsecret2 h:1\nsecret3:h:1\nsecret4: h:0\nsecret5: *.x:1\nsecret6: h:1\nsecret6: h:2\nsecret7: h:1 x\nsecret8: h:1 # x\n';
  const folder = await folderWith({ desks: text });
  const form = 'what follows the name is not host:port, like 10.0.0.9:5900, or unix:/run/app.sock';
  const faults = faultsOf(join(folder, 'desks'));
  expect(faults).toEqual([
    `F:1:1 ${form}; a port is missing behind it, as in :5900`,
    'F:2:1 is not name: host:port, with a blank behind the colon of the name',
    'F:3:1 is not name: host:port, with a blank behind the colon of the name',
    `F:4:1 ${form}`,
    'F:5:1 the host of a target is fixed: no {name} and no * may stand in it',
    'F:7:1 its name stands for another target already',
    `F:8:1 ${form}`,
    `F:9:1 ${form}; a comment has a line of its own`,
  ]);
});

test('a file that is something else is told in a few lines', async () => {
  const folder = await folderWith({ noise: 'x\n'.repeat(1_000) });
  const faults = faultsOf(join(folder, 'noise'));
  expect(faults).toHaveLength(21);
  expect(faults[20]).toBe('F:21:1 and 980 lines from here on that cannot be used either');
});

test('no line takes longer to read than it is long', async () => {
  const folder = await folderWith({ desks: `${': '.repeat(500_000)}\u2028x` });
  expect(faultsOf(join(folder, 'desks'))).toHaveLength(1);
});

test('a folder is all the files in it, without those that begin with a dot and without folders', async () => {
  const folder = await folderWith({ b: 'b: h:2\n', a: 'a: h:1\n', '.swp': 'nonsense' });
  await mkdir(join(folder, '..data'));
  await symlink(join(folder, 'a'), join(folder, 'c')).then(() => rm(join(folder, 'c')));
  const { entries, paths } = readTable(folder);
  expect([...entries.keys()]).toEqual(['a', 'b']);
  expect(paths).toEqual([folder, join(folder, 'a'), join(folder, 'b')]);
});

test('what cannot be read is said', async () => {
  const folder = await folderWith({ big: `a: h:1\n${' '.repeat(1024 * 1024)}` });
  expect(faultsOf(join(folder, 'none'))).toEqual(['F cannot be read: there is no such file']);
  expect(faultsOf(join(folder, 'big'))).toEqual(['F is larger than 1 MiB']);
});
