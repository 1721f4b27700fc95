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
import { openHttpClient } from './upstream/client.ts';
import { trustOf } from './upstream/connect.ts';

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
): GatewayRoute {
  const meters = createMeters(config.limits);
  return {
    config,
    match: config.match,
    checks: createAdmission(config, { verifiers }),
    leads: leadsOf(config),
    meter: (request, grant) => meters((per) => limitKey(per, request, grant)),
  };
}

function leadsOf(config: RouteConfig): Leads {
  const { upstream } = config;
  const close = () => {};
  if (upstream.websocket) return { bridge: 'websocket', dial: createWebSocketDial(config), close };
  if (upstream.tcp) return { bridge: 'tcp', dial: createTcpDial(config), close };
  if (upstream.poll) return pollLeads(config, upstream.poll.target);
  const passthrough = createPassthrough(config);
  return { bridge: undefined, passthrough, close: passthrough.close };
}

function pollLeads(config: RouteConfig, urls: readonly string[]): Leads {
  const http = openHttpClient({
    urls,
    connectMs: config.timeouts.handshake,
    tls: trustOf(config.upstream.tls),
  });
  return { bridge: 'poll', dial: createPollDial(config, { http }), close: http.close };
}
