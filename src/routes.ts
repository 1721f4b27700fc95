import type { Logger } from 'pino';
import type { AuthenticationDeps } from './admission/authentication.ts';
import { type Cors, createCors, isPreflight } from './admission/cors.ts';
import { openAuthService } from './admission/external/index.ts';
import type { Grant } from './admission/grant.ts';
import { admit, createAdmission } from './admission/index.ts';
import type { LimitDeps } from './admission/limit-deps.ts';
import { createSignIn, type SignIn } from './admission/login.ts';
import { createRenewal, type Renewal } from './admission/renewal.ts';
import { createReproofs, type Reproofs } from './admission/reproof.ts';
import type { Dial, InBandRefusal } from './bridge/contract.ts';
import type { LingerObserver } from './bridge/parking.ts';
import type { ParkingSpace } from './bridge/parking-space.ts';
import type { ChannelHub } from './bridge/poll/channels.ts';
import { concealmentOf } from './bridge/poll/concealment.ts';
import type { GoodbyeObserver } from './bridge/poll/goodbyes.ts';
import { openPollBridge } from './bridge/poll/index.ts';
import { createTcpDial } from './bridge/tcp/index.ts';
import { TcpV1 } from './bridge/tcp/v1/index.ts';
import { createWebSocketDial } from './bridge/websocket.ts';
import type { RouteConfig } from './config/schema.ts';
import { servedKinds, type UpstreamKind, upgradesTo } from './config/upstream-kinds.ts';
import type { GatewayError } from './errors.ts';
import { compileFirstMessage, type Open } from './first-message/index.ts';
import type { GatewayRequest } from './http/request.ts';
import type { ServedRecord, SessionRecord } from './observe/index.ts';
import { createPassthrough, type Passthrough } from './passthrough/index.ts';
import { createMeters, type MeterFactory } from './session/meter.ts';
import { type HttpTarget, openHttpTarget } from './upstream/client.ts';
import type { UpstreamContext } from './upstream/context.ts';
import { type Credentials, openCredentials } from './upstream/credentials.ts';
import { type AdmittedRequest, compileForward, type Forward } from './upstream/forward.ts';
import { HttpPool } from './upstream/http-pool.ts';
import { Pool } from './upstream/pool.ts';
import { openTcpReach } from './upstream/targets/index.ts';
import type { TableDeps } from './upstream/targets/table.ts';
import type { FileObserver, WatchedFiles } from './watched-files.ts';

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
  /** How its clients prove themselves to the gateway. */
  readonly reproofs: Reproofs;
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
  /** How clients are let in that may show their token in their first message; undefined: none may. */
  readonly open?: Open | undefined;
  /** How a client that offers these subprotocols is told of a refusal, if otherwise than others are. */
  refusal?(protocols: readonly string[], error: GatewayError): InBandRefusal | undefined;
  /** What the upstream gets to see of an upgrade. */
  readonly forward: Forward;
  /** What one admitted connection may send. */
  readonly meter: MeterFactory;
}

/** How a route serves plain requests: as `serve` of a passthrough does, if not by itself. */
export type RequestHandler = (
  ...asked: Parameters<Passthrough['serve']>
) => Promise<Omit<ServedRecord, 'route' | 'subject' | 'issuer'>>;

export interface RouteDeps extends AuthenticationDeps, LimitDeps {
  readonly upstreams: UpstreamContext;
  /** What is read again when it changes. */
  readonly files: WatchedFiles;
  readonly reloads?: FileObserver | undefined;
  /** Hears how HTTP services were told of the ends of their sessions. */
  readonly goodbyes?: GoodbyeObserver | undefined;
  /** Hears of sessions whose clients are lost. */
  readonly lingering?: LingerObserver | undefined;
  /** Where TCP connections wait whose clients are lost. Absent: there is room for all. */
  readonly space?: ParkingSpace | undefined;
  /** Where services publish to sessions. Absent: nobody does. */
  readonly channels?: ChannelHub | undefined;
  readonly logger: Logger;
}

/** What a kind of request is served with, and the undo of what it holds open. */
interface Opened<Handler> {
  readonly handler: Handler;
  close(): void | Promise<void>;
}

/** Compiles a route. Throws CredentialError or the system's error if a file it names cannot be used. */
export function compileRoute(config: RouteConfig, deps: RouteDeps): Route {
  const { name, match, paths } = config;
  const external = openAuthService(config.auth, deps.upstreams.certificates);
  const checks = createAdmission(config, { ...deps, external });
  const kinds = servedKinds(config.upstream);
  const credentials = openCredentials(config, deps);
  const { upstreams, channels, goodbyes, lingering, space } = deps;
  const { files, logger, reloads } = deps;
  const isTcp = upgradesTo(config.upstream) === 'tcp';
  const renewal = isTcp ? createRenewal(config, { ...deps, external }) : undefined;
  const hearing = { goodbyes, lingering, reloads, logger };
  const means = { upstreams, credentials, channels, space, renewal, files, ...hearing };
  // One for both kinds of request: what an upgrade has found out counts for plain requests, too.
  const http = config.upstream.http && openPool(config, 'http', means);
  const upgrade = kinds.includes('upgrade') ? openUpgrade(config, deps, means, http) : undefined;
  const cors = createCors(config);
  const request = http && openRequest(config, http, cors, credentials);
  return {
    name,
    match,
    paths,
    config,
    reproofs: createReproofs(config, { ...deps, external }),
    cors,
    signIn: createSignIn(config),
    admit: (request, grant) => admit(checks, request, grant),
    upgrade: upgrade?.handler,
    request: request?.handler,
    async close() {
      credentials?.close();
      await Promise.all([upgrade?.close(), request?.close(), external?.close()]);
    },
  };
}

/** What the ways to a route's upstream are made with. */
interface Means extends TableDeps {
  readonly upstreams: UpstreamContext;
  readonly credentials?: Credentials | undefined;
  readonly goodbyes?: GoodbyeObserver | undefined;
  readonly lingering?: LingerObserver | undefined;
  readonly space?: ParkingSpace | undefined;
  readonly channels?: ChannelHub | undefined;
  /** How clients prove themselves anew while they are connected. Absent: no proof is asked for. */
  readonly renewal?: Renewal | undefined;
}

/** Its health checks prove themselves with what anybody is lent. */
function openPool(
  config: RouteConfig,
  kind: UpstreamKind,
  { upstreams, credentials }: Pick<Means, 'upstreams' | 'credentials'>,
): Pool {
  return new Pool(config, kind, upstreams, credentials?.proofFor({ claims: {} }));
}

function openUpgrade(
  config: RouteConfig,
  deps: LimitDeps,
  means: Means,
  http: Pool | undefined,
): Opened<UpgradeHandler> {
  const { bridge, dial, refusal, close } = openBridge(config, means, http);
  return {
    handler: {
      bridge,
      dial,
      refusal,
      open: compileFirstMessage(config),
      forward: compileForward(config, upgradesTo(config.upstream), means.credentials),
      meter: createMeters(config, deps),
    },
    close,
  };
}

function openBridge(
  config: RouteConfig,
  means: Means,
  http: Pool | undefined,
): Omit<UpgradeHandler, 'meter' | 'forward' | 'open'> & Pick<Opened<never>, 'close'> {
  const kind = upgradesTo(config.upstream);
  if (kind === 'poll' || kind === 'post') return openPoll(config, kind, means);
  if (kind === 'tcp') return openTcp(config, means);
  const pool = kind === 'http' && http ? http : openPool(config, 'websocket', means);
  const close = () => pool.close();
  const dial = createWebSocketDial(config, pool, means.credentials?.concealment);
  return { bridge: 'websocket', dial, close };
}

function openTcp(config: RouteConfig, means: Means) {
  const { upstreams, lingering, space, renewal } = means;
  const { reach, close } = openTcpReach(config, upstreams, means);
  const renew =
    renewal && ((request: AdmittedRequest, token: string) => renewal(request, request.grant, token));
  const v1 = new TcpV1(config, { reach, renew, lingering, space });
  return {
    bridge: 'tcp',
    dial: createTcpDial(config, reach, v1),
    refusal: (protocols: readonly string[], error: GatewayError) => v1.refusal(protocols, error),
    close: () => v1.close().then(close),
  } as const;
}

function openPoll(config: RouteConfig, kind: 'poll' | 'post', means: Means) {
  const http = openPollClients(config, means);
  const { channels, credentials, lingering, goodbyes: observer } = means;
  const concealment = concealmentOf(config, credentials?.concealment);
  const { dial, close } = openPollBridge(config, {
    http,
    channels,
    observer,
    lingering,
    concealment,
  });
  return { bridge: kind, dial, close: () => close().then(() => http.close()) } as const;
}

/** The HTTP clients of a poll route, one for each endpoint. */
export function openPollClients(
  config: RouteConfig,
  means: Pick<Means, 'upstreams' | 'credentials'>,
): HttpPool<HttpTarget> {
  const kind = config.upstream.poll === undefined ? 'post' : 'poll';
  const pool = openPool(config, kind, means);
  return new HttpPool(pool, ({ target }, connect) => openHttpTarget(target, connect, pool.http2));
}

function openRequest(
  config: RouteConfig,
  pool: Pool,
  cors: Cors,
  credentials: Credentials | undefined,
): Opened<RequestHandler> {
  const { serve, close } = createPassthrough(config, { pool, credentials });
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
