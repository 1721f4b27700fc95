import { mkdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { WatchedFiles } from '../src/watched-files.ts';
import { folderWith } from './support/cli.ts';
import { within } from './support/patience.ts';

function watched() {
  const files = new WatchedFiles({ everyMs: 5 });
  onTestFinished(() => files.close());
  return files;
}

function told(files: WatchedFiles, paths: readonly string[]): Promise<void> {
  return within(new Promise<void>((resolve) => void files.watch(paths, resolve)), 'word of a change');
}

test('tells of a file that is written anew', async () => {
  const folder = await folderWith({ key: 'old' });
  const change = told(watched(), [join(folder, 'key')]);
  writeFileSync(join(folder, 'key'), 'renewed');
  await change;
});

test('tells of a file that appears', async () => {
  const folder = await folderWith({});
  const change = told(watched(), [join(folder, 'key')]);
  writeFileSync(join(folder, 'key'), 'there');
  await change;
});

test('tells of a folder that is swapped by its link, as Kubernetes does', async () => {
  const folder = await folderWith({});
  for (const name of ['one', 'two']) {
    mkdirSync(join(folder, name));
    writeFileSync(join(folder, name, 'key'), 'same');
  }
  symlinkSync('one', join(folder, 'data'));
  symlinkSync(join('data', 'key'), join(folder, 'key'));
  const change = told(watched(), [join(folder, 'key')]);
  symlinkSync('two', join(folder, 'next'));
  renameSync(join(folder, 'next'), join(folder, 'data'));
  await change;
});

test('tells once of one change, and again of the next', async () => {
  const folder = await folderWith({ cert: 'a', key: 'a' });
  const files = watched();
  let times = 0;
  let heard = Promise.withResolvers<void>();
  files.watch([join(folder, 'cert'), join(folder, 'key')], () => {
    times += 1;
    heard.resolve();
  });
  writeFileSync(join(folder, 'cert'), 'bb');
  await within(heard.promise, 'word of the first change');
  heard = Promise.withResolvers();
  writeFileSync(join(folder, 'key'), 'bb');
  await within(heard.promise, 'word of the second change');
  expect(times).toBe(2);
});

test('renew tells everybody, and waits until they have done with it', async () => {
  const folder = await folderWith({ key: 'same' });
  const files = new WatchedFiles({ everyMs: 3_600_000 });
  onTestFinished(() => files.close());
  const heard: string[] = [];
  files.watch([join(folder, 'key')], async () => {
    await Promise.resolve();
    heard.push('one');
  });
  const undo = files.watch([join(folder, 'key')], () => void heard.push('two'));
  undo();
  await files.renew();
  expect(heard).toEqual(['one']);
});

test('a file that was told of by renew is not told of again', async () => {
  const folder = await folderWith({ key: 'old', other: 'old' });
  const files = watched();
  let times = 0;
  files.watch([join(folder, 'key')], () => {
    times += 1;
  });
  writeFileSync(join(folder, 'key'), 'renewed');
  await files.renew();
  const later = told(files, [join(folder, 'other')]);
  writeFileSync(join(folder, 'other'), 'renewed');
  await later;
  expect(times).toBe(1);
});
