import { type Cors, createCors, isPreflight } from './admission/cors.ts';
import type { Grant } from './admission/grant.ts';
import { admit, createAdmission } from './admission/index.ts';
import { limitKey } from './admission/limits.ts';
import { createSignIn, type SignIn } from './admission/login.ts';
import type { TokenVerifier } from './admission/token/verifier.ts';
import type { Dial } from './bridge/contract.ts';
import { createPollDial } from './bridge/poll/index.ts';
import { createTcpDial } from './bridge/tcp.ts';
import { createWebSocketDial } from './bridge/websocket.ts';
import type { RouteConfig } from './config/schema.ts';
import { servedKinds, upgradesTo } from './config/upstream-kinds.ts';
import type { GatewayRequest } from './http/request.ts';
import type { ServedRecord, SessionRecord } from './observe/index.ts';
import { createPassthrough, type Passthrough } from './passthrough/index.ts';
import { createMeters, type Meter } from './session/meter.ts';
import type { Store } from './store/index.ts';
import { type HttpTarget, openHttpTarget } from './upstream/client.ts';
import type { UpstreamContext } from './upstream/context.ts';
import { compileForward, type Forward } from './upstream/forward.ts';
import { HttpPool } from './upstream/http-pool.ts';
import { Pool } from './upstream/pool.ts';
import type { WatchedFiles } from './watched-files.ts';

/** A route of the configuration, compiled: whom it lets in, and how it serves each kind of request, if it does. */
export interface Route {
  readonly name: string;
  readonly match: RouteConfig['match'];
  readonly paths?: RouteConfig['paths'];
  readonly config: RouteConfig;
  /**
   * Runs the route's checks and returns `grant` with what they found. Rejects with the GatewayError of the first that
   * refuses, and has given back by then what was reserved.
   */
  admit(request: GatewayRequest, grant: Grant): Promise<Grant>;
  readonly upgrade?: UpgradeHandler;
  readonly request?: RequestHandler;
  /** What it tells the pages of other origins. */
  readonly cors: Cors;
  /** What it tells a browser that opens a page of it without a token. */
  readonly signIn: SignIn;
  /** Ends the connections it keeps to its upstreams; again is a no-op. Never rejects. */
  close(): Promise<void>;
}

/** How a route serves WebSockets. */
export interface UpgradeHandler {
  readonly bridge: SessionRecord['bridge'];
  readonly dial: Dial;
  /** What the upstream gets to see of an upgrade. */
  readonly forward: Forward;
  /** What one admitted connection may send. */
  meter(request: GatewayRequest, grant: Grant): Meter;
}

/** How a route serves plain requests: as `serve` of a passthrough does, if not by itself. */
export type RequestHandler = (
  ...asked: Parameters<Passthrough['serve']>
) => Promise<Omit<ServedRecord, 'route' | 'subject' | 'issuer'>>;

export interface RouteDeps {
  /** By the names of `issuers`. */
  readonly verifiers: ReadonlyMap<string, TokenVerifier>;
  readonly store: Store;
  readonly upstreams: UpstreamContext;
  /** What is read again when it changes. */
  readonly files: WatchedFiles;
}

/** What a kind of request is served with, and the undo of what it holds open. */
interface Opened<Handler> {
  readonly handler: Handler;
  close(): void | Promise<void>;
}

/** Compiles a route. Throws the system's error if a file it names cannot be read. */
export function compileRoute(config: RouteConfig, deps: RouteDeps): Route {
  const { name, match, paths } = config;
  const checks = createAdmission(config, deps);
  const kinds = servedKinds(config.upstream);
  // One for both kinds of request: what an upgrade has found out counts for plain requests, too.
  const http = config.upstream.http && new Pool(config, 'http', deps.upstreams);
  const upgrade = kinds.includes('upgrade') ? openUpgrade(config, deps, http) : undefined;
  const cors = createCors(config);
  const request = http && openRequest(config, http, cors);
  return {
    name,
    match,
    paths,
    config,
    cors,
    signIn: createSignIn(config),
    admit: (request, grant) => admit(checks, request, grant),
    upgrade: upgrade?.handler,
    request: request?.handler,
    async close() {
      await Promise.all([upgrade?.close(), request?.close()]);
    },
  };
}

function openUpgrade(config: RouteConfig, deps: RouteDeps, http: Pool | undefined): Opened<UpgradeHandler> {
  const meters = createMeters(config, { store: deps.store });
  const { bridge, dial, close } = openBridge(config, deps.upstreams, http);
  return {
    handler: {
      bridge,
      dial,
      forward: compileForward(config, upgradesTo(config.upstream)),
      meter: (request, grant) => meters((per) => limitKey(per, request, grant)),
    },
    close,
  };
}

function openBridge(
  config: RouteConfig,
  upstreams: UpstreamContext,
  http: Pool | undefined,
): Omit<UpgradeHandler, 'meter' | 'forward'> & Pick<Opened<never>, 'close'> {
  const kind = upgradesTo(config.upstream);
  if (kind === 'poll') return openPoll(config, upstreams);
  const own = kind === 'tcp' ? 'tcp' : 'websocket';
  const pool = kind === 'http' && http ? http : new Pool(config, own, upstreams);
  const close = () => pool.close();
  if (kind === 'tcp') return { bridge: 'tcp', dial: createTcpDial(config, pool), close };
  return { bridge: 'websocket', dial: createWebSocketDial(config, pool), close };
}

function openPoll(config: RouteConfig, upstreams: UpstreamContext) {
  const http = openPollClients(config, upstreams);
  return { bridge: 'poll', dial: createPollDial(config, { http }), close: () => http.close() } as const;
}

/** The HTTP clients of a poll route, one for each endpoint. */
export function openPollClients(config: RouteConfig, upstreams: UpstreamContext): HttpPool<HttpTarget> {
  return new HttpPool(new Pool(config, 'poll', upstreams), ({ target }, connect) =>
    openHttpTarget(target, connect),
  );
}

function openRequest(config: RouteConfig, pool: Pool, cors: Cors): Opened<RequestHandler> {
  const { serve, close } = createPassthrough(config, { pool });
  return { handler: config.cors === 'answer' ? answerPreflights(cors, serve) : serve, close };
}

/** Preflights are answered here, and nothing of them reaches the upstream; `serve` does the rest. */
function answerPreflights(cors: Cors, serve: Passthrough['serve']): RequestHandler {
  return async function serveOrAnswer(request, grant, message, response) {
    if (!isPreflight(request)) return serve(request, grant, message, response);
    response.writeHead(204, cors.preflight(request)).end();
    return { status: 204, bytes: 0, requestBytes: 0 };
  };
}
