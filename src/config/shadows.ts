import type { RequestKind } from '../http/request.ts';
import { covers } from './patterns.ts';
import type { Finding } from './problem.ts';
import type { Config, RouteConfig } from './schema.ts';
import { servedKinds } from './upstream-kinds.ts';

/** Routes that never get a request, because earlier ones take all of theirs of every kind they serve. */
export function shadowedRoutes({ routes }: Pick<Config, 'routes'>): Finding[] {
  return routes.flatMap((route, index) => {
    const before = routes.slice(0, index);
    const takers = servedKinds(route.upstream).map((kind) => takerOf(kind, route, before)?.name);
    if (takers.length === 0 || takers.includes(undefined)) return [];
    const [name, other] = [...new Set(takers)];
    const take =
      other === undefined
        ? `route ${name} comes first and takes`
        : `routes ${name} and ${other} come first and take`;
    return [
      {
        path: ['routes', index, 'match'],
        message: `never matches: ${take} all of it`,
        hint: `move ${route.name} above ${other === undefined ? name : 'both'}`,
        atKey: true,
      },
    ];
  });
}

/** The route that takes all requests of a kind that `route` would match. */
function takerOf(kind: RequestKind, route: RouteConfig, before: readonly RouteConfig[]) {
  return before.find(
    ({ match, upstream }) => servedKinds(upstream).includes(kind) && covers(match, route.match),
  );
}
