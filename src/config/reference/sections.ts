import { type Key, withInner } from './keys.ts';

/** How the keys are told apart into tables. */

/** What has a heading of its own: a mapping, with the keys that are told below it. */
export interface Section {
  /** As Markdown. */
  readonly title: string;
  /** What the places of its rows begin with. */
  readonly place: string;
  /** How far from the top: 1 there. */
  readonly depth: number;
  /** Undefined for what stands at the top by itself. */
  readonly key?: Key;
  readonly rows: readonly Key[];
}

/** What stands at the top, then the large mappings, each followed by those within it. */
export function sectionsOf(top: readonly Key[]): Section[] {
  return [
    { title: 'At the top', place: '', depth: 1, rows: rowsOf(top) },
    ...largeAmong(top).flatMap(within),
  ];
}

function within(key: Key): Section[] {
  const place = placeOf(key);
  return [
    { title: titleOf(key), place, depth: key.path.length, key, rows: rowsOf(key.keys) },
    ...largeAmong(key.keys).flatMap(within),
    ...key.profiles.flatMap(({ name, keys }) => {
      const own = { ...key, profiles: [], of: { profile: name, path: key.path } };
      const depth = key.path.length + 1;
      return [
        { title: titleOf(own), place, depth, key: own, rows: rowsOf(keys) },
        ...largeAmong(keys).flatMap(within),
      ];
    }),
  ];
}

/** A mapping that is not told among the keys beside it. */
export function isLarge({ path, keys }: Key): boolean {
  const inner = withInner(keys).length;
  return inner >= 10 || (inner >= 3 && path.length <= 2);
}

/** Of a mapping, as Markdown. */
export function titleOf(key: Key): string {
  const { of, path } = key;
  const place = `\`${placeOf(key)}\``;
  return of === undefined || of.path.length < path.length
    ? place
    : `${place} with \`profile: ${of.profile}\``;
}

/** Of a mapping: `routes[].limits`, `issuers.NAME`. */
function placeOf({ place, keys }: Key): string {
  return keys[0]?.place.replace(/\.[^.]+$/, '') ?? place;
}

function rowsOf(keys: readonly Key[]): Key[] {
  return keys.flatMap((key) => (isLarge(key) ? [key] : [key, ...rowsOf(key.keys)]));
}

function largeAmong(keys: readonly Key[]): Key[] {
  return keys.flatMap((key) => (isLarge(key) ? [key] : largeAmong(key.keys)));
}
