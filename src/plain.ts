import type { Grant } from './admission/grant.ts';
import { release } from './admission/index.ts';
import { asGatewayError, GatewayError } from './errors.ts';
import { parseRequest, upgradeRequired } from './http/parse.ts';
import type { GatewayRequest } from './http/request.ts';
import type { PendingRequest } from './listener/pending-request.ts';
import type { Observer } from './observe/index.ts';
import { refusedRequest } from './observe/refused-request.ts';
import type { Routes } from './route-table.ts';
import type { Route } from './routes.ts';

export interface PlainDeps {
  readonly routes: Routes;
  readonly observer: Observer;
}

/** What is known of a request so far; a refusal tells of it. */
interface Progress {
  request?: GatewayRequest;
  route?: Route;
  grant?: Grant;
}

/** Fields by which the page that asked may read the refusal. */
function readableBy({ request, route }: Progress, error: GatewayError): Readonly<Record<string, string>> {
  return request && route ? route.cors.refusal(request, error) : {};
}

/** The refusal as this client is to get it. */
function told({ request, route }: Progress, error: GatewayError): GatewayError {
  return request && route ? route.signIn(request, error) : error;
}

/** The story of one plain request: parse → route → admit → pass through. Whatever goes wrong is answered in the one catch. */
export function createPlainHandler({ routes, observer }: PlainDeps) {
  async function serve({ head, connection, message, response }: PendingRequest, progress: Progress) {
    const request = parseRequest(head, connection);
    progress.request = request;
    const found = routes.find(request, 'request');
    progress.route = found.route ?? found.other;
    // Only a WebSocket handshake is served here (RFC 9110 §15.5.22).
    if (found.route === undefined) throw found.other ? upgradeRequired() : new GatewayError('NO_ROUTE');
    const { route } = found;
    const grant: Grant = { claims: {}, releases: [routes.retain(route)] };
    progress.grant = grant;
    try {
      await route.admit(request, grant);
      const served = await route.request(request, grant, message, response);
      const { subject, issuer } = grant;
      return { request, route: route.name, subject, issuer, ...served };
    } finally {
      release(grant);
    }
  }

  return async function onRequest(pending: PendingRequest): Promise<void> {
    const startedAt = performance.now();
    const progress: Progress = {};
    try {
      const { request, ...served } = await serve(pending, progress);
      observer.served(request, served, performance.now() - startedAt);
    } catch (thrown) {
      const error = told(progress, asGatewayError(thrown));
      const refused = refusedRequest('request', pending.connection, progress);
      observer.refused(refused, error, performance.now() - startedAt);
      pending.refuse(error, readableBy(progress, error));
    }
  };
}
