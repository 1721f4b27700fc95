import { globSync, readFileSync } from 'node:fs';
import { parse } from 'yaml';

/** A configuration that comes with the program. */
export interface Example {
  /** Below `config/`: `examples/cors.yaml`. */
  readonly name: string;
  readonly tree: unknown;
}

/** Those in `folder`, which is `config/`: the one to start from, then those in `examples/`, by their names. */
export function readExamples(folder: URL): Example[] {
  const names = ['sallyport.yaml', ...globSync('examples/*.yaml', { cwd: folder.pathname }).sort()];
  return names.map((name) => ({ name, tree: parse(readFileSync(new URL(name, folder), 'utf8')) }));
}
