import type { Server } from 'node:http';
import { type Logger, pino } from 'pino';
import type { Authorize } from './admission/authorize.ts';
import { openKeyFiles } from './admission/keys/index.ts';
import { Tickets } from './admission/tickets/index.ts';
import { Verifications } from './admission/token/verifications.ts';
import { ParkingSpace } from './bridge/parking-space.ts';
import { ChannelHub } from './bridge/poll/channels.ts';
import { countedPaths } from './config/endpoints.ts';
import type { Config } from './config/schema.ts';
import type { EndpointDeps } from './endpoints/endpoint.ts';
import { openEndpoints } from './endpoints/index.ts';
import type { Address, ListeningAddress } from './gateway/address.ts';
import { createAttach } from './gateway/attach.ts';
import { Closers } from './gateway/closers.ts';
import { createDesks } from './gateway/desks.ts';
import { Drain } from './gateway/drain.ts';
import { createEvents, type GatewayEvents } from './gateway/events.ts';
import { checkHooks, type GivenConfig, readGiven } from './gateway/given.ts';
import { listenerDeps, openAdmin, openListeners } from './gateway/listening.ts';
import { mostParked } from './gateway/most-connections.ts';
import type { Part } from './gateway/part.ts';
import { readinessOf } from './gateway/readiness.ts';
import { openRevocations } from './gateway/revoking.ts';
import { openStore } from './gateway/store.ts';
import { openVerifiers } from './gateway/verifiers.ts';
import { createHandshake, type HandshakeDeps } from './handshake.ts';
import type { ListenerHandlers } from './listener/server.ts';
import { createAccessLog } from './observe/access-log.ts';
import { createHealthLog } from './observe/health-log.ts';
import { combine } from './observe/index.ts';
import { droppedLines } from './observe/log-destination.ts';
import { createMetrics } from './observe/metrics.ts';
import { createPlainHandler } from './plain.ts';
import { type ChooseRoute, Routes } from './route-table.ts';
import { compileRoute, type RouteDeps } from './routes.ts';
import { Sessions } from './session/registry.ts';
import type { Commons } from './store/commons.ts';
import { createUpstreamContext, type UpstreamContext } from './upstream/context.ts';
import { Resolver } from './upstream/names/resolver.ts';
import { WatchedCertificates } from './watched-certificates.ts';
import { WatchedFiles } from './watched-files.ts';

export type { Address };

/** A running gateway. */
export interface Gateway {
  /** Where it listens, in the order of the configuration's listeners. */
  readonly addresses: readonly ListeningAddress[];
  /** Undefined where there is none, and where it is a unix socket. */
  readonly adminAddress: Address | undefined;
  /** Connections open now. */
  readonly connections: number;
  /** Calls `listener` at each such event; what it throws or rejects with is logged. Returns the undo. */
  on<E extends keyof GatewayEvents>(event: E, listener: (...what: GatewayEvents[E]) => unknown): () => void;
  /**
   * Takes the upgrades of a server of the program's own, HTTP/1.1 or TLS, until `close` or the undo it returns is called.
   * What no route takes is left to the server's other listeners for `upgrade`, or refused if there are none. Plain requests
   * stay the server's.
   */
  attach(server: Server): () => void;
  /** Looks again at the files that the configuration names. Rejects with nothing: what cannot be used is logged. */
  reload(): Promise<void>;
  /**
   * Drains and stops: not ready any more, new upgrades get 503, open connections a Close with 1001. Resolves when all
   * is closed, connections that did not close within `deadlineMs` (the configuration's `drain`) destroyed. Again is a no-op.
   */
  close(options?: { readonly deadlineMs?: number }): Promise<void>;
}

export interface GatewayOptions {
  /**
   * Absent: silent. `createLogger(config.log)` makes the one that a configuration asks for; its `access` counts with any
   * other, too.
   */
  readonly logger?: Logger;
  /** Where `${NAME}` is looked up in a configuration that was not loaded yet. Absent: nowhere. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** What relative paths in such a configuration start from. Absent: the current folder. */
  readonly baseDir?: string;
  /** Has the last say about each client, after all that the configuration asks for. */
  readonly authorize?: Authorize;
  /** Names the route that is to take a request, of those whose match fits it. */
  readonly route?: ChooseRoute;
  /**
   * DNS servers as `address` or `address:port`, IPv6 in brackets before a port, for the names of upstreams that are
   * looked up by `resolver: dns`. Absent: those of resolv.conf.
   */
  readonly dnsServers?: readonly string[];
}

/**
 * Builds a gateway from a configuration (loaded, plain data as YAML would give it, or YAML) and opens its listeners, the admin listener
 * first. Rejects with ConfigError with every problem in what was not loaded yet; with ListenerError, CertificateError, CredentialError or the
 * system's error if an address cannot be had, a file cannot be used or a DNS server is no address; nothing is left open
 * then.
 */
export async function createGateway(given: GivenConfig, options: GatewayOptions = {}): Promise<Gateway> {
  const { logger = pino({ enabled: false }), authorize, route } = options;
  checkHooks({ authorize, route });
  const config = readGiven(given, { ...options, logger });
  if (config.workers !== undefined) logger.warn('workers has no effect here: `sallyport serve` starts them');
  return openGateway(config, { ...options, logger });
}

type Options = GatewayOptions & {
  readonly logger: Logger;
  /** Of several processes. Absent: this one serves alone. */
  readonly part?: Part;
};

/** The same for a configuration that was loaded, in a process that may be one of several. */
export async function openGateway(config: Config, options: Options): Promise<Gateway> {
  const closers = new Closers();
  try {
    return await open(config, options, closers);
  } catch (error) {
    await closers.run();
    throw error;
  }
}

async function open(config: Config, options: Options, closers: Closers): Promise<Gateway> {
  const { logger } = options;
  const inside = await openInside(config, options, closers);
  const { sessions, routes, metrics, verifiers, events } = inside;
  const drain = new Drain(sessions, closers, logger);
  const isDraining = () => drain.hasBegun;
  const handlers = createHandlers({ ...inside, config, isDraining });
  const { certificates } = inside;
  const { part } = options;
  const deps = {
    ...(await listenerDeps(config, metrics.connections, logger)),
    certificates,
    ticketKeys: part?.ticketKeys,
  };
  let isListening = false;
  const ready = readinessOf(verifiers, { isListening: () => isListening, isDraining });
  const adminDeps = { ready, metrics, ...createDesks(config, inside), logger };
  part?.serve(adminDeps);
  const adminAddress = part === undefined ? await openAdmin(config, adminDeps, closers) : undefined;
  const addresses = await openListeners(config, handlers, deps, closers);
  isListening = true;
  // Only now: a listener that cannot be had ends them all.
  if (part === undefined) for (const address of addresses) logger.info(address, 'listening');
  return {
    addresses,
    adminAddress,
    get connections() {
      return sessions.size;
    },
    on: events.on,
    attach: createAttach({ routes, upgrade: handlers.upgrade }, deps, closers),
    reload: () => inside.files.renew(),
    close: ({ deadlineMs = config.drain } = {}) => drain.begin(deadlineMs),
  };
}

/** All of a gateway but what it listens on. */
async function openInside(config: Config, options: Options, closers: Closers) {
  const { logger, dnsServers, authorize, route, part } = options;
  const files = new WatchedFiles();
  closers.add(() => files.close());
  const verifiers = await openVerifiers(config, logger, closers);
  const metrics = createMetrics({
    open: () => sessions,
    droppedLines: () => droppedLines(logger),
    endpoints: () => upstreams.endpoints.records(),
    issuers: () => verifiers,
    certificates: () => certificates,
    store: () => shared,
    ...{ routes: config.routes, paths: countedPaths(config) },
  });
  const { files: reloads, goodbyes, lingering } = metrics;
  const keys = await openKeyFiles(config.routes, { files, logger, reloads });
  const certificates = new WatchedCertificates(files, logger, metrics.certificates);
  closers.add(() => certificates.close());
  const events = createEvents(logger);
  const observer = combine(createAccessLog(logger, config.log.access), metrics, events.observer);
  const sessions = new Sessions(() => observer, part?.ordinals);
  const channels = new ChannelHub(metrics.pushes);
  const resolver = new Resolver({ servers: dnsServers });
  const dials = { ...metrics, healthChanged: createHealthLog(logger) };
  const upstreams: UpstreamContext = createUpstreamContext({ observer: dials, resolver, certificates });
  closers.add(() => resolver.close());
  const storeDeps = { certificates, onFailed: metrics.storeFailed, logger, alone: part, size: part?.size };
  const { store, commons, shared } = await openStore(config.store, storeDeps, closers);
  const memory = { ...rememberClients(config, commons), store, limits: metrics.limits };
  const revocations = await openRevocations(config, { sessions, commons, files, logger, reloads }, closers);
  const proofs = { revocations, verifiers, keys, authorize };
  const space = new ParkingSpace(await mostParked(config));
  const services = { upstreams, channels, goodbyes, lingering, space };
  const deps = { ...proofs, ...memory, ...services, files, reloads, logger };
  const routes = openRoutes(config, deps, route, closers);
  const all = { files, certificates, metrics, events, observer };
  return { ...all, ...proofs, ...memory, sessions, channels, routes, commons, upstreams };
}

/** What is kept of clients besides their limits. */
function rememberClients({ limits: { ipv6Prefix } }: Config, { notes }: Commons) {
  return { ipv6Prefix, verifications: new Verifications({ ipv6Prefix }), tickets: new Tickets(notes) };
}

function openRoutes(
  config: Config,
  deps: RouteDeps,
  choose: ChooseRoute | undefined,
  closers: Closers,
): Routes {
  const compiled = config.routes.map((route) => compileRoute(route, deps));
  const routes = new Routes(compiled, choose);
  closers.add(() => routes.close());
  return routes;
}

function createHandlers(deps: HandshakeDeps & EndpointDeps): ListenerHandlers {
  const handshake = createHandshake(deps);
  const plain = createPlainHandler({ ...deps, findEndpoint: openEndpoints(deps) });
  return {
    upgrade: (pending) => void handshake(pending),
    request: (pending) => void plain(pending),
  };
}
