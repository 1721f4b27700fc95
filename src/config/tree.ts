import type { Path } from './problem.ts';

/** Plain data as YAML gives it, before its shape is known. */
export type Tree = Readonly<Record<PropertyKey, unknown>>;

/** Deeper than any configuration. */
const MAX_DEPTH = 20;

export interface Place {
  readonly path: Path;
  readonly value: unknown;
}

/** Every place of `tree` that fits a pattern like `routes.*.auth.issuer`; what does not have that shape is left out. */
export function places(tree: unknown, pattern: string): Place[] {
  return pattern.split('.').reduce<Place[]>(step, [{ path: [], value: tree }]);

  function step(found: Place[], name: string): Place[] {
    return found.flatMap(({ path, value }) =>
      entries(value)
        .filter(([key]) => name === '*' || name === key)
        .map(([key, inner]) => ({ path: [...path, key], value: inner })),
    );
  }
}

/** What stands at `path`; undefined if nothing does. */
export function valueAt(tree: unknown, path: Path): unknown {
  return path.reduce<unknown>(
    (value, step) => (isTree(value) && Object.hasOwn(value, step) ? value[step] : undefined),
    tree,
  );
}

/** Puts `value` where something stands already. */
export function replaceAt(tree: unknown, path: Path, value: unknown): void {
  const holder = valueAt(tree, path.slice(0, -1));
  const step = path.at(-1);
  if (isTree(holder) && step !== undefined) (holder as Record<PropertyKey, unknown>)[step] = value;
}

/** A copy with every text replaced by what `replace` makes of it. Throws RangeError beyond 20 levels. */
export function mapTexts(
  tree: unknown,
  replace: (text: string, path: Path) => unknown,
  path: Path = [],
): unknown {
  if (typeof tree === 'string') return replace(tree, path);
  if (!isTree(tree)) return tree;
  if (path.length > MAX_DEPTH) throw new RangeError('nested too deeply');
  const copied = entries(tree).map(
    ([key, value]) => [key, mapTexts(value, replace, [...path, key])] as const,
  );
  return Array.isArray(tree) ? copied.map(([, value]) => value) : Object.fromEntries(copied);
}

function entries(value: unknown): [string | number, unknown][] {
  if (Array.isArray(value)) return [...value.entries()];
  return isTree(value) ? Object.entries(value) : [];
}

export function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null;
}
