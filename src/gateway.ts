import { type Logger, pino } from 'pino';
import { createVerifier, type TokenVerifier } from './admission/token/verifier.ts';
import type { Config } from './config/schema.ts';
import { Closers } from './gateway/closers.ts';
import { Drain } from './gateway/drain.ts';
import { mostConnections } from './gateway/most-connections.ts';
import { readinessOf } from './gateway/readiness.ts';
import { createHandshake, type HandshakeDeps } from './handshake.ts';
import { matchAddress } from './http/address.ts';
import { Connections } from './listener/connections.ts';
import { type ListenerDeps, type ListenerHandlers, openListener } from './listener/server.ts';
import { createAccessLog } from './observe/access-log.ts';
import { type AdminDeps, startAdmin } from './observe/admin.ts';
import { combineConnectionObservers, createConnectionLog } from './observe/connections.ts';
import { createHealthLog } from './observe/health-log.ts';
import { combine } from './observe/index.ts';
import { droppedLines } from './observe/log-destination.ts';
import { createMetrics, type Metrics } from './observe/metrics.ts';
import { createPlainHandler } from './plain.ts';
import { Routes } from './route-table.ts';
import { compileRoute, type RouteDeps } from './routes.ts';
import { Sessions } from './session/registry.ts';
import { createMemoryStore } from './store/memory.ts';
import { createUpstreamContext, type UpstreamContext } from './upstream/context.ts';
import { Resolver } from './upstream/names/resolver.ts';
import { WatchedFiles } from './watched-files.ts';

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** A running gateway. */
export interface Gateway {
  /** Where it listens, in the order of the configuration's listeners. */
  readonly addresses: readonly (Address & { readonly secure: boolean })[];
  readonly adminAddress: Address | undefined;
  /** Connections open now. */
  readonly connections: number;
  /**
   * Drains and stops: not ready any more, new upgrades get 503, open connections a Close with 1001. Resolves when all
   * is closed, connections that did not close within `deadlineMs` (the configuration's `drain`) destroyed. Again is a no-op.
   */
  close(options?: { readonly deadlineMs?: number }): Promise<void>;
}

export interface GatewayOptions {
  /** Absent: silent. */
  readonly logger?: Logger;
  /**
   * DNS servers as `address` or `address:port`, IPv6 in brackets before a port, for the names of upstreams that are
   * looked up by `resolver: dns`. Absent: those of resolv.conf.
   */
  readonly dnsServers?: readonly string[];
}

/**
 * Builds a gateway from a configuration and opens its listeners. Rejects with ListenerError, CertificateError or the
 * system's error if an address cannot be had, a file cannot be used or a DNS server is no address; nothing is left open
 * then.
 */
export async function createGateway(config: Config, options: GatewayOptions = {}): Promise<Gateway> {
  const closers = new Closers();
  try {
    return await open(config, options, closers);
  } catch (error) {
    await closers.run();
    throw error;
  }
}

async function open(config: Config, options: GatewayOptions, closers: Closers): Promise<Gateway> {
  const { logger = pino({ enabled: false }), dnsServers } = options;
  const files = new WatchedFiles();
  closers.add(() => files.close());
  const verifiers = await openVerifiers(config, logger, closers);
  const metrics = createMetrics({
    open: () => sessions,
    droppedLines: () => droppedLines(logger),
    endpoints: () => upstreams.endpoints,
    routes: config.routes,
  });
  const observer = combine(createAccessLog(logger, config.log.access), metrics);
  const sessions = new Sessions(() => observer);
  const resolver = new Resolver({ servers: dnsServers });
  const dials = { ...metrics, healthChanged: createHealthLog(logger) };
  const upstreams: UpstreamContext = createUpstreamContext({ observer: dials, resolver });
  closers.add(() => resolver.close());
  const routes = openRoutes(config, { verifiers, store: createMemoryStore(), upstreams, files }, closers);
  const drain = new Drain(sessions, closers, logger);
  const isDraining = () => drain.hasBegun;

  const handlers = createHandlers({ routes, sessions, observer, isDraining });
  const deps = await listenerDeps(config, metrics, logger);
  const addresses = await openListeners(config, handlers, deps, closers);
  const ready = readinessOf(verifiers, isDraining);
  const adminAddress = await openAdmin(config, { ready, metrics, logger }, closers);
  return {
    addresses,
    adminAddress,
    get connections() {
      return sessions.size;
    },
    close: ({ deadlineMs = config.drain } = {}) => drain.begin(deadlineMs),
  };
}

function openRoutes(config: Config, deps: RouteDeps, closers: Closers): Routes {
  const routes = new Routes(config.routes.map((route) => compileRoute(route, deps)));
  closers.add(() => routes.close());
  return routes;
}

function createHandlers(deps: HandshakeDeps): ListenerHandlers {
  const handshake = createHandshake(deps);
  const plain = createPlainHandler(deps);
  return {
    upgrade: (pending) => void handshake(pending),
    request: (pending) => void plain(pending),
  };
}

async function listenerDeps(config: Config, metrics: Metrics, logger: Logger): Promise<ListenerDeps> {
  const observer = combineConnectionObservers(createConnectionLog(logger), metrics.connections);
  const connections = new Connections(await mostConnections(config, logger), observer);
  return { logger, trustedProxies: matchAddress(config.trustedProxies), connections, observer };
}

async function openListeners(
  config: Config,
  handlers: ListenerHandlers,
  deps: ListenerDeps,
  closers: Closers,
): Promise<Gateway['addresses']> {
  const addresses: Gateway['addresses'][number][] = [];
  for (const listener of config.listeners) {
    const opened = await openListener(listener, handlers, deps);
    closers.add(() => opened.close());
    addresses.push(opened.address);
    deps.logger.info(opened.address, 'listening');
  }
  return addresses;
}

async function openAdmin({ admin }: Config, deps: AdminDeps, closers: Closers): Promise<Address | undefined> {
  if (admin === undefined) return undefined;
  const opened = await startAdmin(admin, deps);
  closers.add(() => opened.close());
  return { host: opened.address.address, port: opened.address.port };
}

async function openVerifiers(config: Config, logger: Logger, closers: Closers) {
  const verifiers = new Map<string, TokenVerifier>();
  for (const [name, issuer] of Object.entries(config.issuers)) {
    const verifier = await createVerifier(issuer, { logger: logger.child({ issuer: name }) });
    verifiers.set(name, verifier);
    closers.add(() => verifier.close());
  }
  return verifiers;
}
