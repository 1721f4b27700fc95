import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerOptions } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo, ListenOptions } from 'node:net';
import type { Logger } from 'pino';
import type { ListenerConfig } from '../config/schema.ts';
import { type AddressMatcher, isLoopback } from '../http/address.ts';
import type { CertificateWatch } from '../watched-certificates.ts';
import type { Connections } from './connections.ts';
import { listenError } from './error.ts';
import { guardConnections } from './guard.ts';
import { type ListenerHandlers, type PlainSockets, serveHttp1 } from './http1.ts';
import type { ConnectionObserver } from './observer.ts';
import { type ListenerTls, openTls } from './tls.ts';

export type { ListenerHandlers };

/** In milliseconds. Node's own are minutes, and a silent peer holds a socket all that time. */
export interface ListenerDeadlines {
  /** From the connection, or the end of the last response, to the last header. */
  readonly headers: number;
  /** For what a trusted proxy says of a connection. */
  readonly proxyHeader: number;
  /** For the TLS handshake. */
  readonly handshake: number;
  /** A connection may idle between two plain requests. */
  readonly keepAlive: number;
  /** How often the ones above are looked at. */
  readonly check: number;
  /** After `close`, for plain requests under way. */
  readonly close: number;
  /** For a refused client to read why. */
  readonly linger: number;
}

export interface ListenerDeps {
  readonly logger: Logger;
  /** Whose X-Forwarded-* and Forwarded are believed. */
  readonly trustedProxies: AddressMatcher;
  /** Of all listeners together. */
  readonly connections: Connections;
  readonly observer: ConnectionObserver;
  /** Absent: certificates are read once. */
  readonly certificates?: CertificateWatch;
  /** Of several processes: the keys of TLS session tickets. Absent: this process has its own. */
  readonly ticketKeys?: ((of: string) => Buffer) | undefined;
  readonly deadlines?: Partial<ListenerDeadlines>;
}

export interface Listener {
  readonly address: { readonly host: string; readonly port: number; readonly secure: boolean };
  /**
   * Stops accepting, ends idle connections, gives plain requests under way a deadline, then destroys them. Sockets
   * handed to `upgrade` are not touched. Calling it twice is one close.
   */
  close(): Promise<void>;
}

const DEADLINES: ListenerDeadlines = {
  headers: 10_000,
  proxyHeader: 5_000,
  handshake: 10_000,
  keepAlive: 60_000,
  check: 1_000,
  close: 5_000,
  linger: 2_000,
};

/**
 * Opens one listener, plain or TLS. Throws CertificateError for a certificate that does not serve, ListenerError for an
 * address that cannot be had.
 */
export async function openListener(
  config: ListenerConfig,
  handlers: ListenerHandlers,
  deps: ListenerDeps,
): Promise<Listener> {
  const deadlines = { ...DEADLINES, ...deps.deadlines };
  const tls =
    config.tls && (await openTls({ ...config, tls: config.tls }, deps.certificates, deps.ticketKeys));
  const server = createHttpServer(deadlines, tls);
  const plain = guardConnections(server, config, { ...deps, proxyHeaderMs: deadlines.proxyHeader });
  const isLocal = config.tls === undefined && isLoopback(config.host);
  serveHttp1(server, handlers, { ...deps, plain, isLocal, lingerMs: deadlines.linger });
  await listen(server, config).catch((error) => {
    tls?.close();
    throw error;
  });
  server.on('error', (error) => deps.observer.acceptFailed(error));
  const { address: host, port } = server.address() as AddressInfo;
  let closed: Promise<void> | undefined;
  return {
    address: { host, port, secure: config.tls !== undefined },
    close: () => {
      tls?.close();
      closed ??= closeServer(server, plain, deadlines.close);
      return closed;
    },
  };
}

function createHttpServer(deadlines: ListenerDeadlines, tls: ListenerTls | undefined): Server {
  const options = {
    headersTimeout: deadlines.headers,
    // Bodies have deadlines of their route, and none in all.
    requestTimeout: 0,
    shouldUpgradeCallback: offersUpgrade,
    keepAliveTimeout: deadlines.keepAlive,
    connectionsCheckingInterval: deadlines.check,
    maxHeaderSize: 16 * 1024,
    insecureHTTPParser: false,
    // The request's checks want to answer a missing Host themselves, with a body.
    requireHostHeader: false,
    noDelay: true,
  };
  const server = tls === undefined ? createServer(options) : createTlsServer(options, deadlines, tls);
  // Beyond its limit Node drops fields silently: a dropped Origin would pass for an absent one. Size bounds them, and the parser counts.
  server.maxHeadersCount = 0;
  return server;
}

function createTlsServer(options: ServerOptions, { handshake }: ListenerDeadlines, tls: ListenerTls): Server {
  const server = createSecureServer({ ...options, ...tls.options, handshakeTimeout: handshake });
  tls.serve(server);
  return server;
}

/**
 * Whether a request asks for a WebSocket or connect-tcp; any other protocol it offers is passed over (RFC 9110 §7.8). Node 22
 * asks this since 22.21: before, it takes every offer for a handshake, which is then refused.
 */
function offersUpgrade({ rawHeaders }: IncomingMessage): boolean {
  // Not in `headers`, an object that Node would make for this look alone.
  return rawHeaders.some(
    (name, at) => at % 2 === 0 && isUpgradeField(name) && SPOKEN.test(rawHeaders[at + 1] ?? ''),
  );
}

/** Most have another length: their names are not looked at. */
function isUpgradeField(name: string): boolean {
  return name.length === UPGRADE.length && name.toLowerCase() === UPGRADE;
}

const UPGRADE = 'upgrade';
const SPOKEN = /(?:^|,)[ \t]*(?:websocket|connect-tcp(?:-\d+)?)(?:\/|[ \t]*(?:,|$))/i;

/** Connections that may wait to be accepted while many come at once; the system cuts it to its own bound (somaxconn). */
const BACKLOG = 4_096;

async function listen(server: Server, { host, port }: ListenerConfig): Promise<void> {
  // Without a host Node takes "::" and falls back to 0.0.0.0 on a machine that has no IPv6.
  const options: ListenOptions = { port, backlog: BACKLOG, ...(host !== '::' && { host }) };
  server.listen(options);
  try {
    await once(server, 'listening');
  } catch (cause) {
    throw listenError(cause, host, port);
  }
}

async function closeServer(server: Server, plain: PlainSockets, deadlineMs: number): Promise<void> {
  server.close();
  const gone = [...plain.keys()].map((socket) => new Promise((resolve) => socket.once('close', resolve)));
  for (const [socket, response] of plain) if (response === undefined) socket.destroy();
  const timer = setTimeout(function destroyRest() {
    for (const socket of plain.keys()) socket.destroy();
  }, deadlineMs);
  await Promise.all(gone);
  clearTimeout(timer);
}
