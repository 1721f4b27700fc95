import { claims } from '../config/endpoints.ts';
import type { GatewayRequest } from '../http/request.ts';
import type { Endpoint, EndpointDeps, OpenEndpoint } from './endpoint.ts';
import { openLogout } from './logout.ts';
import { openRefresh } from './refresh.ts';
import { openTicket } from './ticket.ts';

export type { Endpoint } from './endpoint.ts';

/** Every kind of endpoint there is. */
const KINDS: readonly OpenEndpoint[] = [openRefresh, openTicket, openLogout];

/** Finds the endpoint that takes a request; undefined: it is for the routes. */
export type FindEndpoint = (request: GatewayRequest) => Endpoint | undefined;

/** Opens what the gateway answers itself. A route that claims such a path as its own has it. */
export function openEndpoints(deps: EndpointDeps): FindEndpoint {
  const { routes, config } = deps;
  const byPath = new Map(KINDS.flatMap((open) => open(deps)).map((endpoint) => [endpoint.path, endpoint]));

  return function findEndpoint(request) {
    const endpoint = byPath.get(request.path);
    if (endpoint === undefined || endpoint.serves?.(request) === false) return undefined;
    const { route } = routes.find(request, 'request');
    const isTaken = route !== undefined && claims(route.match, endpoint.path, config.endpoints.prefix);
    return isTaken ? undefined : endpoint;
  };
}
