import type { Finding } from './problem.ts';
import type { Config, RouteConfig } from './schema.ts';

type Match = RouteConfig['match'];

/** Routes that never get a request, because an earlier one takes all of theirs. */
export function shadowedRoutes({ routes }: Pick<Config, 'routes'>): Finding[] {
  return routes.flatMap((route, index) => {
    const earlier = routes.slice(0, index).find(({ match }) => covers(match, route.match));
    if (earlier === undefined) return [];
    return [
      {
        path: ['routes', index, 'match'],
        message: `never matches: route ${earlier.name} comes first and takes all of it`,
        hint: `move ${route.name} above ${earlier.name}`,
        atKey: true,
      },
    ];
  });
}

/** Whether every request that `later` matches is matched by `earlier` too. */
function covers(earlier: Match, later: Match): boolean {
  return coversHost(earlier.host, later.host) && coversPath(earlier.path, later.path);
}

function coversHost(earlier: string | undefined, later: string | undefined): boolean {
  if (earlier === undefined || earlier === later) return true;
  return earlier.startsWith('*.') && later !== undefined && later.replace(/^[^.]+/, '*') === earlier;
}

function coversPath(earlier: string, later: string): boolean {
  const wide = segments(earlier);
  const narrow = segments(later);
  const fits = wide.fixed.every((segment, index) => coversSegment(segment, narrow.fixed[index]));
  if (wide.isOpen) return fits && (narrow.fixed.length > wide.fixed.length || narrow.isOpen);
  return fits && !narrow.isOpen && narrow.fixed.length === wide.fixed.length;
}

/** `/rooms/{room}/*` as its fixed segments and whether anything may follow them. */
function segments(path: string): { fixed: string[]; isOpen: boolean } {
  const isOpen = path.endsWith('/*');
  return { fixed: (isOpen ? path.slice(0, -2) : path).split('/').slice(1), isOpen };
}

function coversSegment(wide: string, narrow: string | undefined): boolean {
  if (narrow === undefined) return false;
  return wide.startsWith('{') ? narrow !== '' : wide === narrow;
}
