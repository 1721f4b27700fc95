import { dirname, join, normalize } from 'node:path';

/** Which tests run a file, found by who imports whom. Pure: `sources` are texts by their paths from the project's root. */

/** A test file, and over how many imports it reaches the file in question. */
export interface Reach {
  readonly test: string;
  readonly distance: number;
}

/** The tests that reach `file`, the nearest first. */
export function testsReaching(file: string, sources: ReadonlyMap<string, string>): Reach[] {
  const importers = importersOf(sources);
  const distances = new Map([[file, 0]]);
  for (const [path, distance] of distances) {
    for (const importer of importers.get(path) ?? []) {
      if (!distances.has(importer)) distances.set(importer, distance + 1);
    }
  }
  return [...distances]
    .filter(([path]) => path.endsWith('.test.ts'))
    .map(([test, distance]) => ({ test, distance }))
    .sort((one, other) => one.distance - other.distance);
}

/**
 * The tests in the order to run them in: those that import the file or mirror its path; those of its room; all others. Empty
 * groups are left out. `near` leaves out all others, too.
 */
export function inStages(file: string, reaching: readonly Reach[], near = false): string[][] {
  const mirror = file.replace(/^src\//, 'test/');
  const stem = mirror.replace(/(\/index)?\.ts$/, '');
  const room = `${mirror.split('/').slice(0, 2).join('/')}/`;
  const stageOf = ({ test, distance }: Reach) => {
    if (distance === 1 || test.startsWith(`${stem}.`) || test.startsWith(`${stem}/`)) return 0;
    return test.startsWith(room) ? 1 : 2;
  };
  return (near ? [0, 1] : [0, 1, 2])
    .map((stage) => reaching.filter((reach) => stageOf(reach) === stage).map(({ test }) => test))
    .filter((tests) => tests.length > 0);
}

function importersOf(sources: ReadonlyMap<string, string>): Map<string, string[]> {
  const importers = new Map<string, string[]>();
  for (const [path, text] of sources) {
    for (const target of referencesOf(path, text)) {
      if (!sources.has(target)) continue;
      const known = importers.get(target) ?? [];
      known.push(path);
      importers.set(target, known);
    }
  }
  return importers;
}

/**
 * What a file imports, and what it names as a file to be run in a process of its own. Imports of types alone run nothing; what
 * is named may be meant from the project's root.
 */
function referencesOf(path: string, text: string): string[] {
  const code = text.replace(/^(?:import|export) type [^;]*;/gm, '');
  return [...code.matchAll(/'((?:\.{0,2}\/)*[\w@./-]+\.[jt]s)'/g)].flatMap((match) => {
    const name = match[1] as string;
    return name.startsWith('.') ? [normalize(join(dirname(path), name))] : [normalize(name)];
  });
}
