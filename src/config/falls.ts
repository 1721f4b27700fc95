import type { RequestKind } from '../http/request.ts';
import { comingTo, missingGuards, serves } from './guards.ts';
import { textOf } from './patterns.ts';
import type { Finding } from './problem.ts';
import type { Config } from './schema.ts';

const NAMES: Readonly<Record<RequestKind, string>> = { upgrade: 'upgrades', request: 'plain requests' };
const KINDS = Object.keys(NAMES) as readonly RequestKind[];

/**
 * Where requests fall past a guarded route, because it does not serve their kind, onto a later one that asks for less.
 * Told by the patterns of the routes, so of requests that could come, whether they do or not.
 */
export function unguardedFalls({ routes }: Pick<Config, 'routes'>): Finding[] {
  return routes.flatMap((guarded, index) =>
    KINDS.filter((kind) => !serves(guarded, kind)).flatMap((kind) =>
      routes.slice(index + 1).flatMap((later) => {
        const requests = comingTo(later, guarded.match, kind, routes);
        const missing = missingGuards(later, guarded);
        if (requests === undefined || missing.length === 0) return [];
        return [finding(index, `${NAMES[kind]} for ${textOf(requests)}`, later.name, missing)];
      }),
    ),
  );
}

function finding(index: number, requests: string, onto: string, missing: readonly string[]): Finding {
  return {
    path: ['routes', index, 'match'],
    message: `${requests} fall past this route onto ${onto}, which asks for less (${missing.join(', ')})`,
    hint: `serve them here too, guard ${onto} alike, or move it above if that is meant`,
    atKey: true,
  };
}
