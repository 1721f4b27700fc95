import { keysAt } from './json-schema.ts';
import type { Path } from './problem.ts';
import { suggest } from './suggest.ts';

/**
 * Where a key belongs that is right by itself, and stands at a level where it is unknown; undefined if it is nowhere near.
 * `here` are the keys of that level.
 */
export function misplaced(path: Path, key: string, here: readonly string[]): string | undefined {
  const isSlip = suggest(key, here) !== undefined;
  const place = above(path, key) ?? below(path, key, here) ?? (isSlip ? undefined : farther(path, key, here));
  if (place === undefined) return undefined;
  // `paths` beside `match` may be meant, or `path` within it.
  const slip = suggest(key, here, 1);
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
export function below(path: Path, key: string, here: readonly string[]): string | undefined {
  return inAnyOf(here.filter((name) => isWithin([...path, name], key)));
}

/** Within a mapping beside the one that it stands in, or two levels down. */
function farther(path: Path, key: string, here: readonly string[]): string | undefined {
  const around = path.slice(0, -1);
  const beside = path.length === 0 ? [] : keysAt(around).filter((name) => isWithin([...around, name], key));
  const deeper = here.flatMap((name) =>
    keysAt([...path, name])
      .filter((inner) => isWithin([...path, name, inner], key))
      .map((inner) => `${name}.${inner}`),
  );
  return inAnyOf(beside) ?? inAnyOf(deeper);
}

function isWithin(path: Path, key: string): boolean {
  return keysAt(path).includes(key) || keysAt([...path, 0]).includes(key);
}

function inAnyOf(names: readonly string[]): string | undefined {
  return names.length === 0 ? undefined : `in ${names.join(' or ')}`;
}
