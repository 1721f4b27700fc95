import { keysAt } from './json-schema.ts';
import type { Path } from './problem.ts';
import { suggest } from './suggest.ts';

/** Where a key belongs that is right by itself, and stands at a level where it is unknown; undefined if it is nowhere near. */
export function misplaced(path: Path, key: string): string | undefined {
  const place = above(path, key) ?? below(path, key);
  if (place === undefined) return undefined;
  // `paths` beside `match` may be meant, or `path` within it.
  const slip = suggest(key, keysAt(path), 1);
  return `${slip === undefined ? '' : `did you mean ${slip}? `}${key} stands ${place}`;
}

/** Beside the nearest mapping around the key whose neighbours it is one of. */
function above(path: Path, key: string): string | undefined {
  const index = path.findLastIndex(
    (step, at) => typeof step === 'string' && keysAt(path.slice(0, at)).includes(key),
  );
  return index === -1 ? undefined : `beside ${String(path[index])}`;
}

/** Within its neighbours, or the items of their lists. */
function below(path: Path, key: string): string | undefined {
  const holders = keysAt(path).filter((name) =>
    [...keysAt([...path, name]), ...keysAt([...path, name, 0])].includes(key),
  );
  return holders.length === 0 ? undefined : `in ${[...new Set(holders)].join(' or ')}`;
}
