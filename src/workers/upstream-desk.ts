import type { UpstreamDesk, UpstreamView } from '../observe/admin/upstreams.ts';
import { askAll } from './answers.ts';
import type { Member } from './crew.ts';
import { askDesk } from './desks.ts';

/** The worst last: each worker judges targets by its own dials and checks. */
const STATES: readonly UpstreamView['state'][] = ['gone', 'unknown', 'well', 'due', 'out', 'unresolved'];

/** Where the routes of all workers lead to. */
export function createUpstreamsDesk(workers: Iterable<Member>): UpstreamDesk {
  return {
    async list(route) {
      const { said, silent } = await askAll(workers, ({ line }) =>
        askDesk(line, 'upstreams', 'list', [route]),
      );
      const lists = [...said.values()];
      const all = lists.flatMap(({ upstreams }) => upstreams);
      const places = Map.groupBy(all, ({ route, target }) => `${route} ${target}`);
      return {
        upstreams: [...places.values()].map((views) => views.reduce(together)),
        more: Math.max(...lists.map(({ more }) => more)),
        silent: silent.length > 0 ? silent : undefined,
      };
    },
  };
}

/** What two workers say of one place: the worse of it, and the sum of what leads there. */
function together(one: UpstreamView, other: UpstreamView): UpstreamView {
  const isWorse = STATES.indexOf(other.state) > STATES.indexOf(one.state);
  return {
    ...(isWorse ? other : one),
    kinds: [...new Set([...one.kinds, ...other.kinds])],
    inFlight: one.inFlight + other.inFlight,
    sessions: one.sessions + other.sessions,
  };
}
