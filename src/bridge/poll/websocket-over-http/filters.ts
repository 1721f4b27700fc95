import { invalid } from './events.ts';

/** Filters that a service puts on a channel, so that what is published there reaches some of its listeners only. */

/** What a filter judges by. */
export interface FilterContext {
  /** Who the session belongs to, as its service has said by `set-meta`. */
  readonly user: string | undefined;
  /** Whether the session listens to a channel. */
  listensTo(channel: string): boolean;
  /** What is said of the item. */
  readonly meta: Readonly<Record<string, string | undefined>>;
}

type Filter = (context: FilterContext) => boolean;

const FILTERS: Readonly<Record<string, Filter>> = {
  'skip-self': ({ user, meta }) => user === undefined || meta.sender !== user,
  'skip-users': ({ user, meta }) => user === undefined || !namesIn(meta.skip_users).includes(user),
  'require-sub': ({ meta, listensTo }) => !meta.require_sub || listensTo(meta.require_sub),
};

/** As the service is told. */
export const FILTER_FEATURES = Object.keys(FILTERS)
  .map((name) => `filter:${name}`)
  .join(', ');

/**
 * Throws UPSTREAM_INVALID for a filter that is not known, such as those of Pushpin's that change what is published: without it
 * the client would get what it must not have, or not in that form.
 */
export function checkFilters(filters: readonly string[]): void {
  const unknown = filters.find((name) => !Object.hasOwn(FILTERS, name));
  if (unknown === undefined) return;
  const known = Object.keys(FILTERS).join(', ');
  throw invalid(`it asks for the filter ${JSON.stringify(unknown.slice(0, 64))}; there are ${known}`);
}

/** Whether an item passes filters that were checked. */
export function passes(filters: readonly string[], context: FilterContext): boolean {
  return filters.every((name) => FILTERS[name]?.(context) !== false);
}

function namesIn(list = ''): string[] {
  return list.split(',').map((name) => name.trim());
}
