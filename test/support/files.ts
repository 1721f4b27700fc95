import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

/** Writes a text to a file of its own, gone when the test is over. Call it within a test; resolves with the path. */
export async function fileWith(text: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const file = join(folder, 'file');
  await writeFile(file, text);
  return file;
}
