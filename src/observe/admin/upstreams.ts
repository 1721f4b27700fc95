import { json, type Page, type Question } from './page.ts';
import { readParameters } from './parameters.ts';

/** One address of a target, as an operator sees it; nothing in it is a secret. */
export interface UpstreamView {
  readonly route: string;
  /** What leads there: `websocket`, `tcp`, `poll`, `post`, `http`. */
  readonly kinds: readonly string[];
  /** As the log and metrics name it: a rule of `allow` by its text. */
  readonly target: string;
  /** What its name stands for now; undefined where there is none, and for a rule. */
  readonly address?: string | undefined;
  /**
   * `well`: it gets its share; `due`: the next dial tries it; `out`: others are tried first; `gone`: it gets nothing new;
   * `unresolved`: its name has no address; `unknown`: nobody knows how the targets of a rule do.
   */
  readonly state: 'well' | 'due' | 'out' | 'gone' | 'unresolved' | 'unknown';
  /** Where it is not well: since when (RFC 3339), what has found out, and what was met last. */
  readonly since?: string | undefined;
  readonly by?: 'dial' | 'check' | undefined;
  readonly error?: string | undefined;
  readonly balance?: string | undefined;
  readonly weight?: number | undefined;
  /** Sessions and requests that lead there, dials under way among them; and the WebSockets among these. */
  readonly inFlight: number;
  readonly sessions: number;
}

export interface UpstreamList {
  readonly upstreams: readonly UpstreamView[];
  /** How many there are besides. */
  readonly more: number;
  /** Workers, by their numbers, that have not said in time what they have. Absent: all have. */
  readonly silent?: readonly number[] | undefined;
}

/** Where routes lead to, for operators; made by the gateway. */
export interface UpstreamDesk {
  /** Those of one route, or of all. */
  list(route: string | undefined): Promise<UpstreamList>;
}

/** `/upstreams`: GET tells how the targets of routes do. */
export function upstreamsPage(desk: UpstreamDesk): Page {
  const list = async ({ query }: Question) => json(await desk.list(readParameters(query, ['route']).route));
  return { path: /^\/upstreams$/, isGuarded: true, methods: { GET: list } };
}
