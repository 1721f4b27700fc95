import { GatewayError } from '../../errors.ts';
import type { CloseStatus } from '../../frames/close.ts';
import { badRequest } from '../../http/fields.ts';
import type { SessionRecord } from '../index.ts';
import { closeStatus } from './close-status.ts';
import { type Answer, type Answered, DONE, json, type Page, type Question } from './page.ts';
import { readParameters } from './parameters.ts';

/** One open session, as an operator sees it; nothing in it is a secret. */
export interface SessionView
  extends Pick<
    SessionRecord,
    | 'id'
    | 'route'
    | 'bridge'
    | 'target'
    | 'subject'
    | 'issuer'
    | 'origin'
    | 'path'
    | 'protocol'
    | 'up'
    | 'down'
  > {
  readonly address: string;
  /** When it was opened, and when its token ends, if it ends with it (RFC 3339). */
  readonly since: string;
  readonly expires?: string;
  /** Milliseconds since it was opened. */
  readonly ageMs: number;
  /** Milliseconds that the client's last answer to a ping took. */
  readonly roundTripMs?: number;
}

/** By what sessions are chosen: those that fit all of it. */
export const FILTERS = ['route', 'subject', 'issuer', 'origin', 'address', 'target'] as const;
export type SessionFilter = Readonly<Partial<Record<(typeof FILTERS)[number], string>>>;

/** The open sessions, for operators; made by the gateway. */
export interface SessionDesk {
  /** Those that fit, in the order in which they were opened, from behind one on: at most so many. */
  list(filter: SessionFilter, after: number, limit: number): Answered<SessionPage>;
  /** One of them; undefined if there is none of this id. */
  find(id: string): Answered<SessionView | undefined>;
  /** Begins to end one, as an operator or with a status; false if there is none of this id. */
  end(id: string, status: CloseStatus | undefined): Answered<boolean>;
  /** Begins to end all that fit; resolves with how many. */
  endAll(filter: SessionFilter, status: CloseStatus | undefined): Promise<number>;
}

export interface SessionPage {
  readonly sessions: readonly SessionView[];
  /** Of how many that are open in all. */
  readonly open: number;
  /** What `after` is to be for the next page; undefined: this is the last. */
  readonly next?: number | undefined;
  /** What `after` would be behind each of them, for who puts pages together; it is not shown. */
  readonly places: readonly number[];
  /** Workers, by their numbers, that have not said in time what they have. Absent: all have. */
  readonly silent?: readonly number[] | undefined;
}

const PAGE = 100;
const LARGEST_PAGE = 1_000;

/** `/sessions`: GET lists those that fit, DELETE ends them. */
export function sessionsPage(desk: SessionDesk): Page {
  async function list({ query }: Question): Promise<Answer> {
    const { limit = String(PAGE), after = '0' } = readParameters(query, ['limit', 'after', ...FILTERS]);
    if (!/^\d{1,15}$/.test(after)) throw badRequest('after is what `next` of the page before says');
    if (!/^\d{1,4}$/.test(limit) || Number(limit) < 1 || Number(limit) > LARGEST_PAGE)
      throw badRequest(`limit is a number from 1 to ${LARGEST_PAGE}`);
    const { places: _, ...page } = await desk.list(filterIn(query), Number(after), Number(limit));
    return json(page);
  }

  async function endAll({ query }: Question): Promise<Answer> {
    const { all } = readParameters(query, ['code', 'reason', 'all', ...FILTERS]);
    const filter = filterIn(query);
    if (Object.keys(filter).length === 0 && all !== 'true')
      throw badRequest('say which: route, subject, issuer, origin, address or target; or all=true');
    return json({ ended: await desk.endAll(filter, readStatus(query)) });
  }

  return { path: /^\/sessions$/, isGuarded: true, methods: { GET: list, DELETE: endAll } };
}

/** `/sessions/{id}`, by the id that the log has: GET tells, DELETE ends it. */
export function sessionPage(desk: SessionDesk): Page {
  async function describe({ name }: Question): Promise<Answer> {
    const view = await desk.find(name);
    if (view === undefined) throw new GatewayError('CONNECTION_GONE');
    return json(view);
  }

  async function end({ name, query }: Question): Promise<Answer> {
    readParameters(query, ['code', 'reason']);
    if (!(await desk.end(name, readStatus(query)))) throw new GatewayError('CONNECTION_GONE');
    return DONE;
  }

  return { path: /^\/sessions\/([^/]+)$/, isGuarded: true, methods: { GET: describe, DELETE: end } };
}

function filterIn(query: URLSearchParams): SessionFilter {
  return Object.fromEntries(
    FILTERS.flatMap((name) => (query.has(name) ? [[name, query.get(name) ?? '']] : [])),
  );
}

/** Undefined where neither code nor reason is given. */
function readStatus(query: URLSearchParams): CloseStatus | undefined {
  const code = query.get('code');
  const reason = query.get('reason');
  if (code === null && reason === null) return undefined;
  if (code === null) throw badRequest('reason needs a code');
  return closeStatus(code, reason ?? '');
}
