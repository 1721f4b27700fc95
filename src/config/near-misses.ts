import type { RequestKind } from '../http/request.ts';
import { comingTo, missingGuards } from './guards.ts';
import { type Match, textOf } from './patterns.ts';
import type { Finding } from './problem.ts';
import type { Config, RouteConfig } from './schema.ts';
import { servedKinds, upgradesTo } from './upstream-kinds.ts';

/** Requests that miss a route by a slash or by the case of letters, and what to write against it. */
interface NearMiss {
  readonly match: Match;
  readonly text: string;
  readonly remedy: string;
}

/**
 * Where requests just miss a guarded route and come to a later one that asks for less. The router tells `/admin` and
 * `/ADMIN/x` from `/admin/*`; many servers behind it do not.
 */
export function nearMisses({ routes }: Pick<Config, 'routes'>): Finding[] {
  return routes.flatMap((guarded, index) =>
    routes.slice(index + 1).flatMap((later) => {
      const missing = missingGuards(later, guarded);
      if (missing.length === 0) return [];
      const missed = missesOf(guarded.match).filter(({ match }) => isMissed(match, guarded, later, routes));
      return missed.length === 0 ? [] : [finding(index, guarded, missed, later.name, missing)];
    }),
  );
}

function finding(
  index: number,
  guarded: RouteConfig,
  missed: readonly NearMiss[],
  onto: string,
  missing: readonly string[],
): Finding {
  const requests = missed.map(({ text }) => text).join(' and ');
  return {
    path: ['routes', index, 'match'],
    message: `requests for ${requests} go to ${onto}, which asks for less (${missing.join(', ')}), and many servers take them for ${textOf(guarded.match)}`,
    hint: missed.map(({ remedy }) => remedy).join(', and '),
    atKey: true,
  };
}

function missesOf(match: Match): NearMiss[] {
  return [...otherCase(match), ...otherSlash(match)];
}

function otherCase(match: Match): NearMiss[] {
  return [
    {
      match: { ...match, ignoreCase: true },
      text: `${textOf(match)} in another case`,
      remedy: 'write ignoreCase: true into this match',
    },
  ];
}

function otherSlash(match: Match): NearMiss[] {
  const bare = match.path.replace(/\/\*?$/, '');
  if (bare === '') return [];
  const path = bare === match.path ? `${bare}/` : bare;
  const other = { ...match, path };
  return [{ match: other, text: textOf(other), remedy: `add a route like this one for ${path}` }];
}

function isMissed(
  match: Match,
  guarded: RouteConfig,
  later: RouteConfig,
  routes: readonly RouteConfig[],
): boolean {
  return kindsByPath(guarded)
    .filter((kind) => kindsByPath(later).includes(kind))
    .some((kind) => comingTo(later, match, kind, routes) !== undefined);
}

/** The kinds of request that a route takes to a service which goes by their path. */
function kindsByPath({ upstream }: RouteConfig): RequestKind[] {
  const bridge = upgradesTo(upstream);
  const isByPath = bridge === 'http' || bridge === 'websocket';
  return servedKinds(upstream).filter((kind) => kind === 'request' || isByPath);
}
