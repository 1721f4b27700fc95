import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Grant } from '../admission/grant.ts';
import type { RouteConfig } from '../config/schema.ts';
import { GatewayError } from '../errors.ts';
import type { GatewayRequest } from '../http/request.ts';
import { createUpstreamContext } from '../upstream/context.ts';
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

/** What one passthrough may take up, and what it shares with others. */
export interface PassthroughOptions {
  /** Requests at a time, each of which has a connection to the upstream of its own; beyond it TOO_MANY_CONNECTIONS. */
  readonly maxRequests?: number;
  /** Of the route's `http`; absent: one of its own. It is closed with the passthrough. */
  readonly pool?: Pool;
}

/** Opens the passthrough of a route with `upstream.http`. Throws the system's error if `upstream.tls.ca` cannot be read. */
export function createPassthrough(
  route: RouteConfig,
  { maxRequests = 1024, pool = new Pool(route, 'http', createUpstreamContext()) }: PassthroughOptions = {},
): Passthrough {
  const http = new HttpPool(pool, (endpoint, connect) => openPlainClient(endpoint, connect, maxRequests));
  const forwarder = new Forwarder(route, http);
  let active = 0;
  return {
    async serve(request, grant, message, response) {
      if (active >= maxRequests)
        throw new GatewayError('TOO_MANY_CONNECTIONS', { detail: 'to the upstream' });
      active += 1;
      try {
        return await forwarder.forward(request, grant, message, response);
      } finally {
        active -= 1;
      }
    },
    close() {
      void http.close();
    },
  };
}
