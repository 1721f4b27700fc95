import type { Check, Grant } from './admission/grant.ts';
import { createAdmission } from './admission/index.ts';
import { limitKey } from './admission/limits.ts';
import type { TokenVerifier } from './admission/token/verifier.ts';
import type { Dial } from './bridge/contract.ts';
import { createPollDial } from './bridge/poll/index.ts';
import { createTcpDial } from './bridge/tcp.ts';
import { createWebSocketDial } from './bridge/websocket.ts';
import type { RouteConfig } from './config/schema.ts';
import type { GatewayRequest } from './http/request.ts';
import type { SessionRecord } from './observe/index.ts';
import { createPassthrough, type Passthrough } from './passthrough/index.ts';
import { createMeters, type Meter } from './session/meter.ts';
import { type HttpTarget, openHttpTarget } from './upstream/client.ts';
import type { UpstreamContext } from './upstream/context.ts';
import { HttpPool } from './upstream/http-pool.ts';
import { Pool } from './upstream/pool.ts';

/** A route of the configuration, compiled: what to check, and where it leads. */
export interface GatewayRoute {
  readonly config: RouteConfig;
  readonly match: RouteConfig['match'];
  readonly checks: readonly Check[];
  readonly leads: Leads;
  /** What one admitted connection may send. */
  meter(request: GatewayRequest, grant: Grant): Meter;
}

/** Where a route leads: WebSockets over a bridge, or plain requests to their upstream; never both. */
export type Leads =
  | { readonly bridge: SessionRecord['bridge']; readonly dial: Dial; close(): void | Promise<void> }
  | { readonly bridge: undefined; readonly passthrough: Passthrough; close(): void | Promise<void> };

/** Compiles a route. Throws the system's error if a file it names cannot be read. */
export function compileRoute(
  config: RouteConfig,
  verifiers: ReadonlyMap<string, TokenVerifier>,
  upstreams: UpstreamContext,
): GatewayRoute {
  const meters = createMeters(config.limits);
  return {
    config,
    match: config.match,
    checks: createAdmission(config, { verifiers }),
    leads: leadsOf(config, upstreams),
    meter: (request, grant) => meters((per) => limitKey(per, request, grant)),
  };
}

function leadsOf(config: RouteConfig, upstreams: UpstreamContext): Leads {
  const { upstream } = config;
  if (upstream.websocket) {
    const pool = new Pool(config, 'websocket', upstreams);
    return { bridge: 'websocket', dial: createWebSocketDial(config, pool), close: () => pool.close() };
  }
  if (upstream.tcp) {
    const pool = new Pool(config, 'tcp', upstreams);
    return { bridge: 'tcp', dial: createTcpDial(config, pool), close: () => pool.close() };
  }
  if (upstream.poll) {
    const http = openPollClients(config, upstreams);
    return { bridge: 'poll', dial: createPollDial(config, { http }), close: () => http.close() };
  }
  const passthrough = createPassthrough(config, { upstreams });
  return { bridge: undefined, passthrough, close: passthrough.close };
}

/** The HTTP clients of a poll route, one for each endpoint. */
export function openPollClients(config: RouteConfig, upstreams: UpstreamContext): HttpPool<HttpTarget> {
  return new HttpPool(new Pool(config, 'poll', upstreams), ({ target }, connect) =>
    openHttpTarget(target, connect),
  );
}
