import { type Key, withInner } from './keys.ts';

/** How the keys are told apart into tables. */

/** What has a heading of its own: a mapping, with the keys that are told below it. */
export interface Section {
  readonly title: string;
  /** How far from the top: 1 there. */
  readonly depth: number;
  /** Undefined for what stands at the top by itself. */
  readonly key?: Key;
  readonly rows: readonly Key[];
}

/** What stands at the top, then the large mappings, each followed by those within it. */
export function sectionsOf(top: readonly Key[]): Section[] {
  return [{ title: 'At the top', depth: 1, rows: rowsOf(top) }, ...largeAmong(top).flatMap(within)];

  function within(key: Key): Section[] {
    const { length: depth } = key.path;
    return [
      { title: titleOf(key), depth, key, rows: rowsOf(key.keys) },
      ...largeAmong(key.keys).flatMap(within),
    ];
  }
}

/** A mapping that is not told among the keys beside it. */
export function isLarge({ path, keys }: Key): boolean {
  const inner = withInner(keys).length;
  return inner >= 10 || (inner >= 3 && path.length <= 2);
}

/** Of a mapping: `routes[].limits`, `issuers.NAME`. */
export function titleOf({ place, keys }: Key): string {
  return keys[0]?.place.replace(/\.[^.]+$/, '') ?? place;
}

function rowsOf(keys: readonly Key[]): Key[] {
  return keys.flatMap((key) => (isLarge(key) ? [key] : [key, ...rowsOf(key.keys)]));
}

function largeAmong(keys: readonly Key[]): Key[] {
  return keys.flatMap((key) => (isLarge(key) ? [key] : largeAmong(key.keys)));
}
