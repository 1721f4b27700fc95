import { GatewayError } from '../errors.ts';
import type { GatewayRequest } from '../http/request.ts';
import type { Routes } from '../route-table.ts';
import { matchHost } from '../router.ts';
import type { Route } from '../routes.ts';

/** The routes that an endpoint is about, of the host that is asked. */
export interface RoutesOf {
  /** All of them. */
  all(request: GatewayRequest): readonly Route[];
  /** The one that `?route=` names, else all. Throws NO_ROUTE if there is none. */
  meant(request: GatewayRequest): readonly Route[];
  /** Those whose pages may ask: likewise, or all, so that they hear of the name that is none. */
  whosePages(request: GatewayRequest): readonly Route[];
}

/** Chooses among the routes that have what `isMeant` looks for. */
export function routesOf(routes: Routes, isMeant: (route: Route) => boolean): RoutesOf {
  function all({ host }: GatewayRequest): readonly Route[] {
    return routes.current.routes.filter((route) => isMeant(route) && matchHost(route.match.host)(host));
  }
  function named(request: GatewayRequest): readonly Route[] {
    const wanted = new URLSearchParams(request.query).get('route');
    return all(request).filter(({ name }) => wanted === null || name === wanted);
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
