import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { asGatewayError, GatewayError } from '../errors.ts';
import { badRequest, readFields } from '../http/fields.ts';
import { parseHost } from '../http/target.ts';
import { listenError } from '../listener/error.ts';
import { matchOwnHost, type OwnHostMatcher } from './admin-hosts.ts';
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

/** What a request is answered with. */
interface Desk {
  readonly pages: ReadonlyMap<string, () => Page | Promise<Page>>;
  readonly isOwnHost: OwnHostMatcher;
  readonly logger: Logger;
}

const TEXT = 'text/plain; charset=utf-8';
/** Their descriptors are among those kept back from clients. */
const MAX_CONNECTIONS = 16;
const HEADERS_MS = 5_000;
const REQUEST_MS = 10_000;
const CHECK_MS = 1_000;

/** Where the admin listener listens; port 0 takes any free one. */
export interface AdminOptions {
  readonly host: string;
  readonly port: number;
  /** Host names and addresses by which it is called, besides its own address and this machine's names for itself. */
  readonly names?: readonly string[];
}

/**
 * Serves `/livez`, `/readyz` and `/metrics` on a listener of their own, apart from what clients can reach, to whoever
 * calls it by its name. Rejects with ListenerError if it cannot listen.
 */
export async function startAdmin({ host, port, names = [] }: AdminOptions, deps: AdminDeps): Promise<Admin> {
  const desk: Desk = {
    pages: createPages(deps),
    isOwnHost: matchOwnHost([host, ...names]),
    logger: deps.logger,
  };
  const limits = {
    headersTimeout: HEADERS_MS,
    requestTimeout: REQUEST_MS,
    connectionsCheckingInterval: CHECK_MS,
  };
  const server = createServer(limits, function onRequest(request, response) {
    void answer(desk, request, response);
  });
  server.maxConnections = MAX_CONNECTIONS;
  // Covers the scraper that asks and then does not read.
  server.setTimeout(REQUEST_MS);
  await listen(server, host, port);
  server.on('error', (error) => deps.logger.error({ err: error }, 'admin listener failed'));
  return { address: server.address() as AddressInfo, close: () => close(server) };
}

function createPages({ ready, metrics }: AdminDeps): Desk['pages'] {
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
  { pages, isOwnHost, logger }: Desk,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  try {
    checkHost(isOwnHost, request);
    const page = await pageFor(pages, request)();
    if (!page.healthy) response.statusCode = new GatewayError('DRAINING').status;
    write(request, response, page);
  } catch (thrown) {
    const error = asGatewayError(thrown);
    if (error.code === 'INTERNAL') logger.error({ err: error }, 'admin page failed');
    response.statusCode = error.status;
    for (const [name, value] of Object.entries(error.headers)) response.setHeader(name, value);
    write(request, response, { healthy: false, type: TEXT, body: `${error.code}: ${error.message}\n` });
  }
}

/** Throws BAD_REQUEST (400) where Host is missing, doubled or malformed, and HOST_REFUSED (403). */
function checkHost(isOwnHost: OwnHostMatcher, { rawHeaders, socket }: IncomingMessage): void {
  const authority = readFields(rawHeaders).one('host');
  if (authority === undefined) throw badRequest('Host is missing');
  if (!isOwnHost(parseHost(authority), socket.localAddress ?? '')) throw new GatewayError('HOST_REFUSED');
}

/** Throws METHOD_NOT_ALLOWED (405) and NO_ROUTE (404). */
function pageFor(pages: Desk['pages'], request: IncomingMessage) {
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
    const onError = (cause: Error) => reject(listenError(cause, host, port, 'the admin port'));
    server.once('error', onError);
    server.listen(port, host, () => {
      server.off('error', onError);
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
