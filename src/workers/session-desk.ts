import type { SessionDesk, SessionPage } from '../observe/admin/sessions.ts';
import { type Answers, askAll } from './answers.ts';
import type { Member } from './crew.ts';
import { askDesk } from './desks.ts';

/** Ending many takes longer than to list them. */
const END_ALL_MS = 30_000;

/** The open sessions of all workers. */
export function createSessionsDesk(workers: Iterable<Member>): SessionDesk {
  return {
    async list(filter, after, limit) {
      const answers = await askAll(workers, ({ line }) =>
        askDesk(line, 'sessions', 'list', [filter, after, limit]),
      );
      return onePage(answers, limit);
    },
    async find(id) {
      const { said } = await askAll(workers, ({ line }) => askDesk(line, 'sessions', 'find', [id]));
      return [...said.values()].find((view) => view !== undefined);
    },
    async end(id, status) {
      const { said } = await askAll(workers, ({ line }) => askDesk(line, 'sessions', 'end', [id, status]));
      return [...said.values()].includes(true);
    },
    async endAll(filter, status) {
      const { said } = await askAll(workers, ({ line }) =>
        askDesk(line, 'sessions', 'endAll', [filter, status], END_ALL_MS),
      );
      return [...said.values()].reduce((sum, count) => sum + count, 0);
    },
  };
}

/** The first of all, by their places: each worker has said its first ones, as many as a page has room for. */
function onePage({ said, silent }: Answers<Member, SessionPage>, limit: number): SessionPage {
  const pages = [...said.values()];
  const all = pages.flatMap(({ sessions, places }) =>
    sessions.map((view, index) => ({ view, place: places[index] ?? 0 })),
  );
  all.sort((one, other) => one.place - other.place);
  const shown = all.slice(0, limit);
  const isLast = shown.length === all.length && pages.every(({ next }) => next === undefined);
  return {
    sessions: shown.map(({ view }) => view),
    places: shown.map(({ place }) => place),
    open: pages.reduce((sum, { open }) => sum + open, 0),
    next: isLast ? undefined : shown.at(-1)?.place,
    silent: silent.length > 0 ? silent : undefined,
  };
}
