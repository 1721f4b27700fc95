import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { answerRequest, type Desk } from './admin/desk.ts';
import { type AdminSecrets, createGuard, serviceConnections } from './admin/guard.ts';
import { type AdminPlace, listenAt } from './admin/listening.ts';
import { createPages, type PageDeps } from './admin/pages.ts';
import { matchOwnHost } from './admin-hosts.ts';
import type { Logger } from './log.ts';

export type { Readiness } from './admin/pages.ts';

/** What the admin listener shows. */
export interface AdminDeps extends PageDeps {
  readonly logger: Logger;
}

/** A running admin listener. */
export interface Admin {
  /** Undefined for a unix socket. */
  readonly address: AddressInfo | undefined;
  /** Stops listening and ends every connection; again is a no-op. */
  close(): Promise<void>;
}

/** Their descriptors are among those kept back from clients. */
const MAX_CONNECTIONS = 16;
const HEADERS_MS = 5_000;
const REQUEST_MS = 10_000;
const CHECK_MS = 1_000;

/** Where the admin listener listens, and what must be shown to change anything. */
export interface AdminOptions extends AdminPlace, AdminSecrets {
  /** Host names and addresses by which it is called, besides its own address and this machine's names for itself. */
  readonly names?: readonly string[];
}

/**
 * Serves `/livez`, `/readyz` and `/metrics` on a listener of their own, apart from what clients can reach, to whoever
 * calls it by its name; to who shows a secret also what `createPages` lists besides. Rejects with ListenerError if it cannot
 * listen.
 */
export async function startAdmin(
  { host, port, socket, names = [], ...secrets }: AdminOptions,
  { logger, ...deps }: AdminDeps,
): Promise<Admin> {
  const desk: Desk = {
    pages: createPages(deps),
    guard: createGuard(secrets),
    isOwnHost: matchOwnHost([host, ...names]),
    logger,
  };
  const limits = {
    headersTimeout: HEADERS_MS,
    requestTimeout: REQUEST_MS,
    connectionsCheckingInterval: CHECK_MS,
  };
  const server = createServer(limits, function onRequest(request, response) {
    void answerRequest(desk, request, response);
  });
  server.maxConnections = MAX_CONNECTIONS + serviceConnections(secrets);
  // Covers the scraper that asks and then does not read.
  server.setTimeout(REQUEST_MS);
  const address = await listenAt(server, { host, port, socket });
  server.on('error', (error) => logger.error({ err: error }, 'admin listener failed'));
  return { address, close: () => close(server) };
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    // The callback's error only says that it was closed before.
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
