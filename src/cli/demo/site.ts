import { readFile } from 'node:fs/promises';
import { createServer, type ServerResponse } from 'node:http';
import { clientModules, type ReadModule } from './modules.ts';
import { listenOnLoopback, type Service } from './service.ts';
import type { Mint } from './token.ts';

const FOLDER = new URL('../../../config/demo/', import.meta.url);

/** What a page may load and reach. The stranger lives in a frame without an origin, where nothing is its own. */
const OWN = "default-src 'self'";
const STRANGER = "default-src 'none'; script-src 'unsafe-inline'; connect-src wss:";

const JAVASCRIPT = 'text/javascript; charset=utf-8';

const PAGES: Readonly<Record<string, readonly [file: string, type: string, policy: string]>> = {
  '/': ['index.html', 'text/html; charset=utf-8', OWN],
  '/style.css': ['style.css', 'text/css; charset=utf-8', OWN],
  '/app.js': ['app.js', JAVASCRIPT, OWN],
  '/bytes.js': ['bytes.js', JAVASCRIPT, OWN],
  '/console.js': ['console.js', JAVASCRIPT, OWN],
  '/postgres.js': ['postgres.js', JAVASCRIPT, OWN],
  '/redis.js': ['redis.js', JAVASCRIPT, OWN],
  '/terminal.js': ['terminal.js', JAVASCRIPT, OWN],
  '/visitor.js': ['visitor.js', JAVASCRIPT, OWN],
  '/icon.svg': ['icon.svg', 'image/svg+xml', OWN],
  '/stranger.html': ['stranger.html', 'text/html; charset=utf-8', STRANGER],
};

/**
 * The website in front of which the gateway stands: the demo's page, the client library as modules, and in place of a
 * login `GET /token`, which gives a token to whoever asks: `?name=ada&life=SECONDS`, an hour unless given; below zero it
 * has expired.
 */
export async function startSite(mint: Mint): Promise<Service> {
  const [pages, modules] = await Promise.all([readPages(), clientModules()]);
  const server = createServer(function onRequest(request, response) {
    const url = new URL(request.url ?? '/', 'http://site');
    const page = pages.get(url.pathname);
    const readModule = modules.get(url.pathname);
    if (readModule) void giveModule(readModule, response);
    else if (url.pathname === '/token') void giveToken(mint, url.searchParams, response);
    else if (page) response.writeHead(200, page.headers).end(page.body);
    else response.writeHead(404, { 'content-type': 'text/plain' }).end('Nothing here.\n');
  });
  const port = await listenOnLoopback(server);
  return {
    port,
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}

interface Page {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

async function readPages(): Promise<Map<string, Page>> {
  const pages = Object.entries(PAGES).map(async ([path, [file, type, policy]]) => {
    const body = await readFile(new URL(file, FOLDER));
    return [path, { headers: headersOf(type, policy), body }] as const;
  });
  return new Map(await Promise.all(pages));
}

function headersOf(type: string, policy: string): Page['headers'] {
  return {
    'content-type': type,
    'content-security-policy': policy,
    'x-content-type-options': 'nosniff',
    'cache-control': 'no-cache',
  };
}

async function giveModule(read: ReadModule, response: ServerResponse): Promise<void> {
  try {
    const body = await read();
    response.writeHead(200, headersOf(JAVASCRIPT, OWN)).end(body);
  } catch {
    response.writeHead(500, { 'content-type': 'text/plain' }).end('The module cannot be read.\n');
  }
}

async function giveToken(mint: Mint, query: URLSearchParams, response: ServerResponse): Promise<void> {
  const name = (query.get('name') ?? '').replace(/[^\w-]/g, '').slice(0, 24) || 'somebody';
  const life = Number(query.get('life') ?? 3600);
  const token = await mint(name, Number.isFinite(life) ? Math.min(life, 86_400) : 3600);
  response.writeHead(200, { 'content-type': 'text/plain', 'cache-control': 'no-store' }).end(`${token}\n`);
}
