import type { Cors } from '../admission/cors.ts';
import { GatewayError } from '../errors.ts';
import type { GatewayRequest } from '../http/request.ts';
import type { Routes } from '../route-table.ts';
import { matchHost } from '../router.ts';
import type { Route } from '../routes.ts';

/** A route that an endpoint is about, and what it has for it. */
export interface Concerned<What> {
  readonly route: Route;
  readonly cors: Cors;
  readonly what: What;
}

/** The routes that an endpoint is about, of the host that is asked. */
export interface RoutesOf<What> {
  /** All of them. */
  all(request: GatewayRequest): readonly Concerned<What>[];
  /** The one that `?route=` names, else all. Throws NO_ROUTE if there is none. */
  meant(request: GatewayRequest): readonly Concerned<What>[];
  /** Those whose pages may ask: likewise, or all, so that they hear of a name that is none. */
  whosePages(request: GatewayRequest): readonly Concerned<What>[];
}

/** Chooses among the routes that have what `find` looks for. */
export function routesOf<What>(routes: Routes, find: (route: Route) => What | undefined): RoutesOf<What> {
  function all({ host }: GatewayRequest): Concerned<What>[] {
    return routes.current.routes.flatMap((route) => {
      const what = matchHost(route.match.host)(host) ? find(route) : undefined;
      return what === undefined ? [] : [{ route, cors: route.cors, what }];
    });
  }
  function named(request: GatewayRequest): Concerned<What>[] {
    const wanted = new URLSearchParams(request.query).get('route');
    return all(request).filter(({ route }) => wanted === null || route.name === wanted);
  }
  return {
    all,
    meant(request) {
      const found = named(request);
      if (found.length > 0) return found;
      throw new GatewayError('NO_ROUTE', {
        sentence: 'There is nothing to do here for a route of this name.',
      });
    },
    whosePages(request) {
      const found = named(request);
      return found.length > 0 ? found : all(request);
    },
  };
}
