import type { IncomingMessage, ServerResponse } from 'node:http';
import { admit, release } from './admission/index.ts';
import { asGatewayError, GatewayError } from './errors.ts';
import { type ConnectionInfo, parseRequest, upgradeRequired } from './http/parse.ts';
import type { GatewayRequest } from './http/request.ts';
import { answerRefusal } from './listener/refusal.ts';
import type { Observer } from './observe/index.ts';
import type { Router } from './router.ts';
import type { GatewayRoute } from './routes.ts';

export interface PlainDeps {
  readonly router: Router<GatewayRoute>;
  readonly observer: Observer;
}

/** What is known of a request so far; a refusal tells of it. */
interface Progress {
  request?: GatewayRequest;
  route?: GatewayRoute;
}

/** The story of one plain request: parse → route → admit → pass through. Whatever goes wrong is answered in the one catch. */
export function createPlainHandler({ router, observer }: PlainDeps) {
  async function serve(
    message: IncomingMessage,
    response: ServerResponse,
    arrival: ConnectionInfo,
    progress: Progress,
  ) {
    const request = parseRequest(message, arrival);
    progress.request = request;
    const { route } = router(request.host, request.path) ?? {};
    if (route === undefined) throw new GatewayError('NO_ROUTE');
    progress.route = route;
    // Only a WebSocket handshake leads anywhere here (RFC 9110 §15.5.22).
    if (route.leads.bridge !== undefined) throw upgradeRequired();
    const grant = await admit(route.checks, request);
    try {
      const served = await route.leads.passthrough.serve(request, grant, message, response);
      return { request, route: route.config.name, ...served };
    } finally {
      release(grant);
    }
  }

  return async function onRequest(
    message: IncomingMessage,
    response: ServerResponse,
    arrival: ConnectionInfo,
  ): Promise<void> {
    const startedAt = performance.now();
    const progress: Progress = {};
    response.on('error', () => response.destroy());
    try {
      const { request, ...served } = await serve(message, response, arrival, progress);
      observer.served(request, served, performance.now() - startedAt);
    } catch (thrown) {
      const error = asGatewayError(thrown);
      const { id, peerAddress = '' } = arrival;
      const { clientAddress, host, path, origin } = progress.request ?? {};
      const route = progress.route?.config.name;
      const refused = { id, kind: 'request', peerAddress, clientAddress, host, path, origin, route } as const;
      observer.refused(refused, error, performance.now() - startedAt);
      answerRefusal(response, error);
    }
  };
}
