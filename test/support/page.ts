import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { fileURLToPath } from 'node:url';
import type { RunningServer } from './servers.ts';
import { portOf } from './servers.ts';

/** Serves a bare page at `/`, and these files of npm packages by the last part of their path. */
export async function startPageServer(...modules: readonly string[]): Promise<RunningServer> {
  const server = await createPageServer(...modules);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');

  return {
    port: portOf(server),
    async close() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

/** That server, not listening yet. */
export async function createPageServer(...modules: readonly string[]): Promise<Server> {
  const files = new Map(await Promise.all(modules.map(readModule)));
  const scripts = [...files.keys()].map((name) => `<script src="/${name}"></script>`).join('');
  const page = `<!doctype html><meta charset="utf-8"><title>test</title><link rel="icon" href="data:,">${scripts}`;

  return createServer((request, response) => {
    const body = request.url === '/' ? page : files.get(request.url?.slice(1) ?? '');
    const type = request.url === '/' ? 'text/html' : 'text/javascript';
    response.writeHead(body === undefined ? 404 : 200, { 'content-type': `${type}; charset=utf-8` });
    response.end(body);
  });
}

async function readModule(path: string): Promise<[string, Buffer]> {
  const name = path.slice(path.lastIndexOf('/') + 1);
  return [name, await readFile(fileURLToPath(new URL(`../../node_modules/${path}`, import.meta.url)))];
}
