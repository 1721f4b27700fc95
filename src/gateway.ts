import { type Logger, pino } from 'pino';
import { createVerifier, type TokenVerifier } from './admission/token/verifier.ts';
import type { Config } from './config/schema.ts';
import { GatewayError } from './errors.ts';
import { createHandshake, type HandshakeDeps } from './handshake.ts';
import { matchAddress } from './http/address.ts';
import { Connections } from './listener/connections.ts';
import { connectionsWithin, readDescriptorLimit } from './listener/descriptors.ts';
import { type ListenerDeps, type ListenerHandlers, openListener } from './listener/server.ts';
import { type AdminDeps, type Readiness, startAdmin } from './observe/admin.ts';
import { combineConnectionObservers, createConnectionLog } from './observe/connections.ts';
import { combine } from './observe/index.ts';
import { createAccessLog } from './observe/log.ts';
import { droppedLines } from './observe/log-destination.ts';
import { createMetrics, type Metrics } from './observe/metrics.ts';
import { createPlainHandler } from './plain.ts';
import { Routes } from './route-table.ts';
import { compileRoute, type RouteDeps } from './routes.ts';
import { Sessions } from './session/registry.ts';
import { createMemoryStore } from './store/memory.ts';
import { createUpstreamContext, type UpstreamContext } from './upstream/context.ts';
import { Resolver } from './upstream/names/resolver.ts';

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

/** Undoes what has been opened, the last first. */
class Closers {
  readonly #undo: (() => void | Promise<void>)[] = [];

  add(undo: () => void | Promise<void>): void {
    this.#undo.push(undo);
  }

  async run(): Promise<void> {
    for (const undo of this.#undo.splice(0).reverse()) await undo();
  }
}

async function open(config: Config, options: GatewayOptions, closers: Closers): Promise<Gateway> {
  const { logger = pino({ enabled: false }), dnsServers } = options;
  const verifiers = await openVerifiers(config, logger, closers);
  const metrics = createMetrics(
    () => sessions,
    () => droppedLines(logger),
    () => upstreams.endpoints,
  );
  const observer = combine(createAccessLog(logger), metrics);
  const sessions = new Sessions(() => observer);
  const resolver = new Resolver({ servers: dnsServers });
  const upstreams: UpstreamContext = createUpstreamContext({ observer: metrics, resolver });
  closers.add(() => resolver.close());
  const routes = openRoutes(config, { verifiers, store: createMemoryStore(), upstreams }, closers);
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

/** The end of a gateway: its sessions first, then all that it has opened. */
class Drain {
  readonly #sessions: Sessions;
  readonly #closers: Closers;
  readonly #logger: Logger;
  #done: Promise<void> | undefined;

  constructor(sessions: Sessions, closers: Closers, logger: Logger) {
    this.#sessions = sessions;
    this.#closers = closers;
    this.#logger = logger;
  }

  get hasBegun(): boolean {
    return this.#done !== undefined;
  }

  /** Resolves when all is closed; again it is the same end. */
  begin(deadlineMs: number): Promise<void> {
    this.#done ??= this.#run(deadlineMs);
    return this.#done;
  }

  async #run(deadlineMs: number): Promise<void> {
    this.#logger.info({ connections: this.#sessions.size, deadlineMs }, 'draining');
    await this.#sessions.drain(new GatewayError('GOING_AWAY'), deadlineMs);
    await this.#closers.run();
    this.#logger.info('stopped');
  }
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

async function mostConnections({ limits, routes }: Config, logger: Logger): Promise<number> {
  const openFiles = await readDescriptorLimit();
  // A poll hangs on one connection while messages are sent on another.
  const upstream = routes.some((route) => route.upstream.poll !== undefined) ? 2 : 1;
  const fitting = connectionsWithin(openFiles, upstream);
  const connections = limits.connections === 'auto' ? fitting : limits.connections;
  if (connections > fitting)
    logger.warn(
      { connections, openFiles },
      `the limit of open files has room for ${fitting} connections only`,
    );
  if (connections < Infinity) logger.info({ connections, openFiles }, 'connections are bounded');
  return connections;
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

/** New connections are welcome while every issuer has keys and nobody has asked the gateway to stop. */
function readinessOf(verifiers: ReadonlyMap<string, TokenVerifier>, isDraining: () => boolean) {
  return function ready(): Readiness {
    if (isDraining()) return { ready: false, why: 'draining' };
    const waiting = [...verifiers].filter(([, verifier]) => !verifier.ready).map(([name]) => name);
    return waiting.length === 0
      ? { ready: true }
      : { ready: false, why: `no keys yet of ${waiting.join(', ')}` };
  };
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
