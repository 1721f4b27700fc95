import { readFileSync } from 'node:fs';
import { Agent, type AgentOptions, type IncomingMessage, type ServerResponse } from 'node:http';
import { Agent as SecureAgent } from 'node:https';
import { isIP } from 'node:net';
import type { Grant } from '../admission/grant.ts';
import type { RouteConfig, UpstreamTls } from '../config/schema.ts';
import { GatewayError } from '../errors.ts';
import type { GatewayRequest } from '../http/request.ts';
import { upstreamHeaders, withoutToken } from '../upstream/forward.ts';
import { joinPath } from '../upstream/target.ts';
import { exchange, type Served, StaleConnection } from './exchange.ts';
import { asHeaders, type Body, bodyOf, isBodiless } from './head.ts';
import { createSender } from './library.ts';

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
  ): Promise<Served>;
  /** Ends every connection to the upstream, requests under way too; again is a no-op. */
  close(): void;
}

/** Idle connections kept for later requests. */
const MAX_IDLE = 64;
/** Less than what servers commonly wait before they close an idle connection: 5 s in Node, more elsewhere. */
const KEEP_IDLE_MS = 4_000;

/** What one passthrough may take up. */
export interface Bounds {
  /** Requests at a time, each of which has a connection to the upstream of its own; beyond it TOO_MANY_CONNECTIONS. */
  readonly maxRequests?: number;
}

/** Opens the passthrough of a route with `upstream.http`. Throws the system's error if `upstream.tls.ca` cannot be read. */
export function createPassthrough(route: RouteConfig, { maxRequests = 1024 }: Bounds = {}): Passthrough {
  const base = new URL(route.upstream.http as string);
  const host = base.hostname.replace(/^\[|\]$/g, '');
  const secure = base.protocol === 'https:';
  const send = createSender({
    protocol: secure ? 'https:' : 'http:',
    host,
    port: base.port || (secure ? '443' : '80'),
  });
  const agents = createAgents(maxRequests, secure ? tlsOptions(host, route.upstream.tls) : undefined);
  let active = 0;

  function exchangeOnce(
    message: IncomingMessage,
    response: ServerResponse,
    path: string,
    body: Body,
    agent: Agent,
  ) {
    return exchange({
      message,
      response,
      path,
      hasBody: body.present,
      timeouts: route.timeouts,
      send: (parcel) => send({ ...parcel, agent }),
    });
  }

  async function forward(
    request: GatewayRequest,
    grant: Grant,
    message: IncomingMessage,
    response: ServerResponse,
  ) {
    const body = bodyOf(message);
    const path = joinPath(base, request.path, withoutToken(request, grant, route).query);
    // Made anew from what may be said upstream: http-proxy copies `headers` whole, hop-by-hop fields included.
    message.headers = asHeaders([...upstreamHeaders(request, grant, route), ...body.framing]);
    // A server that looks for no body with this method would read it as the connection's next request.
    const agent = body.present && isBodiless(request.method) ? agents.once : agents.kept;
    try {
      return await exchangeOnce(message, response, path, body, agent);
    } catch (error) {
      // RFC 9112 §9.3.1: a request that cannot have been acted on twice may be sent again, on a fresh connection.
      if (!(error instanceof StaleConnection && isRepeatable(request.method, body))) throw error;
      return await exchangeOnce(message, response, path, body, agents.once);
    }
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
      agents.kept.destroy();
      agents.once.destroy();
    },
  };
}

/** Safe methods (RFC 9110 §9.2.1) without a body. */
function isRepeatable(method: string, body: Body): boolean {
  return !body.present && (method === 'GET' || method === 'HEAD' || method === 'OPTIONS');
}

interface TlsOptions {
  readonly servername: string;
  readonly ca?: Buffer;
}

function tlsOptions(host: string, tls: UpstreamTls = {}): TlsOptions {
  return {
    // Else Node verifies the certificate against the Host header, which is the client's. An address has no server name.
    servername: tls.servername ?? (isIP(host) ? '' : host),
    ...(tls.ca === undefined ? {} : { ca: readFileSync(tls.ca) }),
  };
}

/** `kept` reuses connections, `once` gives every request its own. Neither queues: `serve` admits no more than they may open. */
function createAgents(maxSockets: number, tls: TlsOptions | undefined) {
  function create(options: AgentOptions): Agent {
    return tls ? new SecureAgent({ ...options, ...tls }) : new Agent(options);
  }
  const keepAlive = {
    keepAlive: true,
    timeout: KEEP_IDLE_MS,
    maxSockets,
    maxFreeSockets: MAX_IDLE,
  };
  // With a finite maxSockets Node offers keep-alive all the same, and gives the socket to the next in the queue.
  return {
    kept: create(keepAlive),
    once: create({ keepAlive: false, maxSockets: Number.POSITIVE_INFINITY }),
  };
}
