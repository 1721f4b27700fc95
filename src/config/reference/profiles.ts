import type { Key, Profile } from './keys.ts';

/**
 * The keys of a mapping that has others for each `profile`: those of all once, and to each its own. `family` are the
 * profiles with all their keys, `merged` the keys of all as one; `path` is where the mapping stands.
 */
export function inProfiles(
  family: readonly Profile[],
  merged: readonly Key[],
  path: readonly string[],
): Pick<Key, 'keys' | 'profiles'> {
  const common = commonTo(family);
  return {
    keys: [...merged.filter(isChoice), ...common],
    profiles: family.map(({ name, keys }) => {
      const own = keys.filter((key) => !isChoice(key) && !isIn(common, key));
      return { name, keys: own.map((key) => ownOf({ profile: name, path }, key)) };
    }),
  };
}

/** What all have, and most of them as the first has it. */
function commonTo(family: readonly Profile[]): Key[] {
  const [first, ...others] = family;
  return (first?.keys ?? []).filter((key) => {
    const isEverywhere = others.every(({ keys }) => keys.some(({ place }) => place === key.place));
    const same = family.filter(({ keys }) => isIn(keys, key)).length;
    return isEverywhere && same * 2 > family.length && !isChoice(key);
  });
}

function isChoice({ path }: Key): boolean {
  return path.at(-1) === 'profile';
}

/** Whether it is there, and is told the same. */
function isIn(keys: readonly Key[], key: Key): boolean {
  return keys.some((other) => JSON.stringify(other) === JSON.stringify(key));
}

/** It and all below it. */
function ownOf(of: NonNullable<Key['of']>, key: Key): Key {
  const meaning = key.meaning && withoutProfile(key.meaning, of.profile);
  return { ...key, meaning, keys: key.keys.map((inner) => ownOf(of, inner)), of };
}

/** Of `sockjs, bayeux: where it is` what stands behind the names of profiles. */
function withoutProfile(meaning: string, profile: string): string {
  const [names = '', ...rest] = meaning.split(': ');
  if (!names.split(', ').includes(profile)) return meaning;
  return rest.join(': ').replace(/^./, (letter) => letter.toUpperCase());
}
