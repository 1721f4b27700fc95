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

/** Whether an item passes; filters that are not known let everything pass. */
export function passes(filters: readonly string[], context: FilterContext): boolean {
  return filters.every((name) => !Object.hasOwn(FILTERS, name) || FILTERS[name]?.(context) !== false);
}

function namesIn(list = ''): string[] {
  return list.split(',').map((name) => name.trim());
}
