/** Key ids as a log may show them: strangers write them, too. */

const MAX_SHOWN = 48;
const MAX_LISTED = 20;

/** A `kid` in quotes, cut to some 48 characters. */
export function shownKeyId(kid: string): string {
  return JSON.stringify(kid.length > MAX_SHOWN ? `${kid.slice(0, MAX_SHOWN)}…` : kid);
}

/** The ids in the text of a key set that has been read before; keys without one have no name. */
export function keyIdsIn(keySet: string): readonly string[] {
  const { keys } = JSON.parse(keySet) as { keys: readonly { kid?: unknown }[] };
  return keys.flatMap(({ kid }) => (typeof kid === 'string' ? [kid] : []));
}

/** What has come and what has gone from one set to the next, to be logged. */
export function keyChanges(before: readonly string[], after: readonly string[]) {
  return { come: listed(without(after, before)), gone: listed(without(before, after)) };
}

/** At most 20 of them, each cut. */
export function listed(ids: readonly string[]): readonly string[] {
  const shown = ids
    .slice(0, MAX_LISTED)
    .map((kid) => (kid.length > MAX_SHOWN ? `${kid.slice(0, MAX_SHOWN)}…` : kid));
  return ids.length > MAX_LISTED ? [...shown, `and ${ids.length - MAX_LISTED} more`] : shown;
}

function without(ids: readonly string[], others: readonly string[]): readonly string[] {
  return ids.filter((kid) => !others.includes(kid));
}
