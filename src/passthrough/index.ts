import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Grant } from '../admission/grant.ts';
import type { RouteConfig } from '../config/schema.ts';
import type { GatewayRequest } from '../http/request.ts';
import { createUpstreamContext } from '../upstream/context.ts';
import type { Credentials } from '../upstream/credentials.ts';
import { HttpPool } from '../upstream/http-pool.ts';
import { Pool } from '../upstream/pool.ts';
import { openPlainClient } from './client.ts';
import { Forwarder, type ServedBy } from './forward.ts';

export type { ServedBy } from './forward.ts';

/** Plain HTTP to the upstream of one route. */
export interface Passthrough {
  /**
   * Answers an admitted request with the upstream's answer; from here on `message` and `response` are its own.
   * Rejects with a GatewayError: if the head has not been sent the caller answers it, else the response is cut off already.
   */
  serve(
    request: GatewayRequest,
    grant: Grant,
    message: IncomingMessage,
    response: ServerResponse,
  ): Promise<ServedBy>;
  /** Ends every connection to the upstream, requests under way too; again is a no-op. */
  close(): void;
}

/** What a passthrough shares with others. */
export interface PassthroughOptions {
  /** Of the route's `http`; absent: one of its own. It is closed with the passthrough. */
  readonly pool?: Pool;
  /** What the gateway proves itself with; absent: nothing. */
  readonly credentials?: Credentials | undefined;
}

/** Opens the passthrough of a route with `upstream.http`. Throws the system's error if `upstream.tls.ca` cannot be read. */
export function createPassthrough(
  route: RouteConfig,
  { pool = new Pool(route, 'http', createUpstreamContext()), credentials }: PassthroughOptions = {},
): Passthrough {
  const http = new HttpPool(pool, openPlainClient);
  const forwarder = new Forwarder(route, http, credentials);
  return {
    serve: (request, grant, message, response) => forwarder.forward(request, grant, message, response),
    close() {
      void http.close();
    },
  };
}
