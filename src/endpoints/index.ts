import { claims } from '../config/endpoints.ts';
import { GatewayError } from '../errors.ts';
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
  const { prefix } = config.endpoints;
  const byPath = new Map(KINDS.flatMap((open) => open(deps)).map((endpoint) => [endpoint.path, endpoint]));
  const below = [...byPath.values()].filter(({ path }) => isBelow(path));

  return function findEndpoint(request) {
    const { path } = request;
    const known = byPath.get(path);
    const endpoint = known && isThere(known, request) ? known : undefined;
    if (endpoint === undefined && !isBelow(path)) return undefined;
    const { route } = routes.find(request, 'request');
    if (route !== undefined && claims(route.match, path, prefix)) return undefined;
    return endpoint ?? none(request);
  };

  function isBelow(path: string): boolean {
    return path.startsWith(`${prefix}/`);
  }

  /** A slip would be answered by whatever has all paths, and look as if it had been heard. */
  function none(request: GatewayRequest): Endpoint | undefined {
    const there = below.filter((endpoint) => isThere(endpoint, request));
    if (there.length === 0) return undefined;
    const paths = there.map(({ path }) => path).join(' and ');
    const sentence = `Below ${prefix} the gateway answers itself, and here at ${paths} only.`;
    const refusal = new GatewayError('NO_ROUTE', { sentence });
    const pages = there.find((endpoint) => endpoint.pages)?.pages;
    return { path: prefix, refusal, answer: () => Promise.reject(refusal), ...(pages && { pages }) };
  }
}

function isThere(endpoint: Endpoint, request: GatewayRequest): boolean {
  return endpoint.serves?.(request) ?? true;
}
