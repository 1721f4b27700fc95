import type { UpstreamDesk, UpstreamList, UpstreamView } from '../observe/admin/upstreams.ts';
import { askAll } from './answers.ts';
import type { Member } from './crew.ts';
import { askDesk } from './desks.ts';

/** From the best to the worst that a worker knows of an address. */
const STATES: readonly UpstreamView['state'][] = ['unknown', 'well', 'due', 'out', 'unresolved', 'gone'];

/** Where routes lead to. Each worker finds out by itself how targets do: what is told is the worst that one of them knows. */
export function createUpstreamsDesk(workers: Iterable<Member>): UpstreamDesk {
  return {
    async list(route) {
      const { said } = await askAll(workers, ({ line }) => askDesk(line, 'upstreams', 'list', [route]));
      return together([...said.values()]);
    },
  };
}

function together(lists: readonly UpstreamList[]): UpstreamList {
  const merged = new Map<string, UpstreamView>();
  for (const view of lists.flatMap(({ upstreams }) => upstreams)) {
    const key = JSON.stringify([view.route, view.target, view.address]);
    const before = merged.get(key);
    merged.set(key, before === undefined ? view : added(before, view));
  }
  return { upstreams: [...merged.values()], more: Math.max(0, ...lists.map(({ more }) => more)) };
}

function added(one: UpstreamView, other: UpstreamView): UpstreamView {
  const isWorse = STATES.indexOf(other.state) > STATES.indexOf(one.state);
  return {
    ...(isWorse ? other : one),
    inFlight: one.inFlight + other.inFlight,
    sessions: one.sessions + other.sessions,
  };
}
