import { globSync, readFileSync } from 'node:fs';
import { parse } from 'yaml';

/** A configuration that comes with the program. */
export interface Example {
  /** Below `config/`: `examples/cors.yaml`. */
  readonly name: string;
  readonly tree: unknown;
}

/** Those in `folder`, which is `config/`: those in `examples/` by their names, then the one to take from. */
export function readExamples(folder: URL): Example[] {
  const names = [...globSync('examples/*.yaml', { cwd: folder.pathname }).sort(), 'sallyport.yaml'];
  return names.map((name) => ({ name, tree: parse(readFileSync(new URL(name, folder), 'utf8')) }));
}
