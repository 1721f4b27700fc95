import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A copy of the project in which faults may be put. */
export interface Tree {
  readonly path: string;
  /** Puts a text in a file's place while `run` goes on. */
  withFile<T>(file: string, text: string, run: () => Promise<T>): Promise<T>;
  remove(): Promise<void>;
}

/** What is made anew, or belongs to one tree alone. */
const LEFT_OUT = new Set(['node_modules', 'dist', 'coverage', '.git', '.sallyport', '.results']);

/** Copies the project at `root`. Its packages are linked one by one, so that what tools keep beside them is the copy's own. */
export async function copyTree(root: string): Promise<Tree> {
  const path = await mkdtemp(join(tmpdir(), 'sallyport-mutation-'));
  try {
    await cp(root, path, { recursive: true, filter: (from) => !LEFT_OUT.has(from.split('/').at(-1) ?? '') });
    await linkPackages(join(root, 'node_modules'), join(path, 'node_modules'));
  } catch (error) {
    await rm(path, { recursive: true });
    throw error;
  }
  return {
    path,
    async withFile(file, text, run) {
      const place = join(path, file);
      const original = await readFile(place);
      try {
        await writeFile(place, text);
        return await run();
      } finally {
        await writeFile(place, original);
      }
    },
    remove: () => rm(path, { recursive: true, force: true, maxRetries: 5 }),
  };
}

async function linkPackages(from: string, to: string): Promise<void> {
  await mkdir(to);
  const names = (await readdir(from)).filter((name) => !/^\.(?!bin$)/.test(name));
  await Promise.all(names.map((name) => symlink(join(from, name), join(to, name))));
}
