import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { asGatewayError, GatewayError } from '../errors.ts';
import type { Logger } from './log.ts';
import type { Metrics } from './metrics.ts';

/** Whether new connections are welcome; `why` says what is missing. */
export interface Readiness {
  readonly ready: boolean;
  readonly why?: string;
}

/** What the admin listener shows. */
export interface AdminDeps {
  readonly ready: () => Readiness;
  readonly metrics: Pick<Metrics, 'render' | 'contentType'>;
  readonly logger: Logger;
}

/** A running admin listener. */
export interface Admin {
  readonly address: AddressInfo;
  /** Stops listening and ends every connection; again is a no-op. */
  close(): Promise<void>;
}

interface Page {
  readonly healthy: boolean;
  readonly type: string;
  readonly body: string;
}

const TEXT = 'text/plain; charset=utf-8';
/** Their descriptors are among those kept back from clients. */
const MAX_CONNECTIONS = 16;
const HEADERS_MS = 5_000;
const REQUEST_MS = 10_000;
const CHECK_MS = 1_000;

/**
 * Serves `/livez`, `/readyz` and `/metrics` on a listener of their own, apart from what clients can reach. Port 0 takes
 * any free one. Rejects with the system's error (EADDRINUSE, EACCES) if it cannot listen.
 */
export async function startAdmin(
  { host, port }: { readonly host: string; readonly port: number },
  deps: AdminDeps,
): Promise<Admin> {
  const pages = createPages(deps);
  const limits = {
    headersTimeout: HEADERS_MS,
    requestTimeout: REQUEST_MS,
    connectionsCheckingInterval: CHECK_MS,
  };
  const server = createServer(limits, function onRequest(request, response) {
    void answer(pages, request, response, deps.logger);
  });
  server.maxConnections = MAX_CONNECTIONS;
  // Covers the scraper that asks and then does not read.
  server.setTimeout(REQUEST_MS);
  await listen(server, host, port);
  server.on('error', (error) => deps.logger.error({ err: error }, 'admin listener failed'));
  return { address: server.address() as AddressInfo, close: () => close(server) };
}

function createPages({ ready, metrics }: AdminDeps): ReadonlyMap<string, () => Page | Promise<Page>> {
  return new Map<string, () => Page | Promise<Page>>([
    ['/livez', () => ({ healthy: true, type: TEXT, body: 'alive\n' })],
    ['/readyz', () => readinessPage(ready())],
    ['/metrics', async () => ({ healthy: true, type: metrics.contentType, body: await metrics.render() })],
  ]);
}

function readinessPage({ ready, why }: Readiness): Page {
  const reason = why === undefined ? '' : `: ${why}`;
  return { healthy: ready, type: TEXT, body: ready ? 'ready\n' : `not ready${reason}\n` };
}

/** Answers one request; never rejects. */
async function answer(
  pages: ReadonlyMap<string, () => Page | Promise<Page>>,
  request: IncomingMessage,
  response: ServerResponse,
  logger: Logger,
): Promise<void> {
  try {
    const page = await pageFor(pages, request)();
    if (!page.healthy) response.statusCode = new GatewayError('DRAINING').status;
    write(request, response, page);
  } catch (thrown) {
    const error = asGatewayError(thrown);
    if (error.code === 'INTERNAL') logger.error({ err: error }, 'admin page failed');
    response.statusCode = error.status;
    for (const [name, value] of Object.entries(error.headers)) response.setHeader(name, value);
    write(request, response, { healthy: false, type: TEXT, body: `${error.message}\n` });
  }
}

/** Throws METHOD_NOT_ALLOWED (405) and NO_ROUTE (404). */
function pageFor(pages: ReadonlyMap<string, () => Page | Promise<Page>>, request: IncomingMessage) {
  const page = pages.get((request.url ?? '').split('?', 1)[0] as string);
  if (page === undefined) throw new GatewayError('NO_ROUTE');
  if (request.method === 'GET' || request.method === 'HEAD') return page;
  throw new GatewayError('METHOD_NOT_ALLOWED', { headers: { allow: 'GET, HEAD' } });
}

function write(request: IncomingMessage, response: ServerResponse, { type, body }: Page): void {
  response.setHeader('content-type', type);
  response.setHeader('content-length', Buffer.byteLength(body));
  response.setHeader('cache-control', 'no-store');
  response.end(request.method === 'HEAD' ? undefined : body);
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    // The callback's error only says that it was closed before.
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
