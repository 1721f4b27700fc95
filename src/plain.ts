import type { Grant } from './admission/grant.ts';
import { release } from './admission/index.ts';
import type { Endpoint, FindEndpoint } from './endpoints/index.ts';
import { serveEndpoint } from './endpoints/serve.ts';
import { asGatewayError, GatewayError } from './errors.ts';
import { parseRequest, upgradeRequired } from './http/parse.ts';
import type { GatewayRequest } from './http/request.ts';
import type { PendingRequest } from './listener/pending-request.ts';
import type { Observer, ServedRecord } from './observe/index.ts';
import { refusedRequest } from './observe/refused-request.ts';
import type { Routes } from './route-table.ts';
import type { Route } from './routes.ts';

export interface PlainDeps {
  readonly routes: Routes;
  /** Finds what the gateway answers itself. Absent: nothing is. */
  readonly findEndpoint?: FindEndpoint;
  readonly observer: Observer;
}

/** What is known of a request so far; a refusal tells of it. */
interface Progress {
  request?: GatewayRequest;
  endpoint?: Endpoint;
  route?: Route;
  grant?: Grant;
}

/** Fields by which the page that asked may read the refusal. */
function readableBy(
  { request, endpoint, route }: Progress,
  error: GatewayError,
): Readonly<Record<string, string>> {
  const pages = endpoint?.pages ?? route?.cors;
  return request && pages ? pages.refusal(request, error) : {};
}

/** What is told of a refusal: an endpoint is called by its path. */
function knownOf({ endpoint, ...progress }: Progress) {
  return endpoint === undefined ? progress : { ...progress, route: { name: endpoint.path } };
}

/** The refusal as this client is to get it. */
function told({ request, route }: Progress, error: GatewayError): GatewayError {
  return request && route ? route.signIn(request, error) : error;
}

/**
 * The story of one plain request: parse → route → admit → pass through, or an answer of the gateway's own. Whatever goes wrong
 * is answered in the one catch.
 */
export function createPlainHandler(deps: PlainDeps) {
  const { observer } = deps;
  return async function onRequest(pending: PendingRequest): Promise<void> {
    const startedAt = performance.now();
    const progress: Progress = {};
    try {
      const request = parseRequest(pending.head, pending.connection);
      progress.request = request;
      const served = await serve(deps, pending, request, progress);
      observer.served(request, served, performance.now() - startedAt);
    } catch (thrown) {
      const error = told(progress, asGatewayError(thrown));
      const refused = refusedRequest('request', pending.connection, knownOf(progress));
      observer.refused(refused, error, performance.now() - startedAt);
      pending.refuse(error, readableBy(progress, error));
    }
  };
}

async function serve(
  { routes, findEndpoint }: PlainDeps,
  pending: PendingRequest,
  request: GatewayRequest,
  progress: Progress,
): Promise<ServedRecord> {
  progress.endpoint = findEndpoint?.(request);
  if (progress.endpoint !== undefined) {
    progress.grant = { claims: {}, releases: [] };
    return serveEndpoint(progress.endpoint, request, progress.grant, pending);
  }
  const found = routes.find(request, 'request');
  progress.route = found.route ?? found.other;
  // Only a WebSocket handshake is served here (RFC 9110 §15.5.22).
  if (found.route === undefined) throw found.other ? upgradeRequired() : new GatewayError('NO_ROUTE');
  const { route } = found;
  const grant: Grant = { claims: {}, releases: [routes.retain(route)] };
  progress.grant = grant;
  try {
    await route.admit(request, grant);
    const served = await route.request(request, grant, pending.message, pending.response);
    const { subject, issuer } = grant;
    return { route: route.name, subject, issuer, ...served };
  } finally {
    release(grant);
  }
}
