import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Grant } from '../admission/grant.ts';
import type { RouteConfig } from '../config/schema.ts';
import { asGatewayError, clientLost, GatewayError } from '../errors.ts';
import type { GatewayRequest } from '../http/request.ts';
import { createPolicy } from '../upstream/balance/index.ts';
import type { Asking } from '../upstream/balance/policy.ts';
import { createUpstreamContext } from '../upstream/context.ts';
import { upstreamHeaders, withoutToken } from '../upstream/forward.ts';
import { type Connected, HttpPool } from '../upstream/http-pool.ts';
import { Pool } from '../upstream/pool.ts';
import { requestTarget } from '../upstream/target.ts';
import { openPlainClient, type PlainClient } from './client.ts';
import { exchange, type Served, StaleConnection } from './exchange.ts';
import { asHeaders, type Body, bodyOf, isBodiless } from './head.ts';

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

/** What was sent to the client, and the endpoint it came from. */
export interface ServedBy extends Served {
  readonly target: string;
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
  const policy = createPolicy(route.upstream.balance ?? 'round-robin');
  const http = new HttpPool(pool, (endpoint, connect) => openPlainClient(endpoint, connect, maxRequests));
  let active = 0;

  /** A connection for the request. Rejects with CLIENT_LOST if the client leaves while it is made. */
  async function connect(asking: Asking, response: ServerResponse, isFresh: boolean) {
    const limit = createLimit(response, route.timeouts.handshake);
    try {
      return await http.connect(policy, asking, limit.signal, isFresh);
    } catch (error) {
      throw response.destroyed ? clientLost(error) : error;
    } finally {
      limit.end();
    }
  }

  async function forward(
    request: GatewayRequest,
    grant: Grant,
    message: IncomingMessage,
    response: ServerResponse,
  ): Promise<ServedBy> {
    const body = bodyOf(message);
    const { query, headers } = withoutToken(request, grant, route);
    const { clientAddress, origin, path } = request;
    // A server that looks for no body with this method would read it as the connection's next request.
    const isOnce = body.present && isBodiless(request.method);
    const connected = await connect({ clientAddress, origin, path, headers, grant }, response, isOnce);
    const { name, target } = connected.lease.endpoint;
    // Made anew from what may be said upstream: http-proxy copies `headers` whole, hop-by-hop fields included.
    message.headers = asHeaders([...upstreamHeaders(request, grant, route), ...body.framing]);
    const carried = {
      message,
      response,
      path: requestTarget(target, { path, query, captures: {} }),
      body,
      isOnce,
    };
    try {
      return { ...(await carry(carried, connected)), target: name };
    } catch (thrown) {
      const error = asGatewayError(thrown);
      error.dials = [{ target: name, error }];
      throw error;
    } finally {
      http.release(connected.lease);
    }
  }

  async function carry({ isOnce, ...carried }: Carried, { client }: Connected<PlainClient>): Promise<Served> {
    const { kept, once } = client.agents;
    try {
      return await exchangeOnce(carried, client, isOnce ? once : kept);
    } catch (error) {
      // RFC 9112 §9.3.1: a request that cannot have been acted on twice may be sent again, on a fresh connection.
      const isRepeated = error instanceof StaleConnection && isRepeatable(carried);
      if (!isRepeated) throw error;
      return await exchangeOnce(carried, client, once);
    }
  }

  function exchangeOnce(
    { message, response, path, body }: Omit<Carried, 'isOnce'>,
    client: PlainClient,
    agent: PlainClient['agents']['kept'],
  ): Promise<Served> {
    return exchange({
      message,
      response,
      path,
      hasBody: body.present,
      timeouts: route.timeouts,
      send: (parcel) => client.send({ ...parcel, agent }),
    });
  }

  return {
    async serve(request, grant, message, response) {
      if (active >= maxRequests)
        throw new GatewayError('TOO_MANY_CONNECTIONS', { detail: 'to the upstream' });
      active += 1;
      try {
        return await forward(request, grant, message, response);
      } finally {
        active -= 1;
      }
    },
    close() {
      void http.close();
    },
  };
}

/** One request on its way. */
interface Carried {
  readonly message: IncomingMessage;
  readonly response: ServerResponse;
  readonly path: string;
  readonly body: Body;
  /** It needs a connection that nothing follows on. */
  readonly isOnce: boolean;
}

/** Safe methods (RFC 9110 §9.2.1) without a body. */
function isRepeatable({ message: { method }, body }: Omit<Carried, 'isOnce'>): boolean {
  return !body.present && (method === 'GET' || method === 'HEAD' || method === 'OPTIONS');
}

/** Ends a dial after `ms`, or when the client leaves. Costs nothing unless a signal is asked for. */
function createLimit(response: ServerResponse, ms: number) {
  let timer: NodeJS.Timeout | undefined;
  let made: AbortController | undefined;
  const abort = () => made?.abort();
  return {
    signal(): AbortSignal {
      made = new AbortController();
      timer = setTimeout(abort, ms);
      response.once('close', abort);
      if (response.destroyed) abort();
      return made.signal;
    },
    end(): void {
      clearTimeout(timer);
      response.off('close', abort);
    },
  };
}
