import type { PageDeps } from '../../src/observe/admin/pages.ts';

type Desks = Omit<PageDeps, 'ready' | 'metrics'>;

/** The desks of an admin listener that is asked for something else, but for those that are given. */
export function desks(given: { [Name in keyof Desks]?: Partial<Desks[Name]> } = {}): Desks {
  const none = { backchannel: {}, sessions: {}, revocations: {}, upstreams: {}, config: async () => ({}) };
  return { ...none, ...given } as Desks;
}
