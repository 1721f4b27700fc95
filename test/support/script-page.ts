import { createServer } from 'node:http';
import { onTestFinished } from 'vitest';
import { listenAt } from './sockets.ts';

/** Serves a page whose only program is this module, at `/page.js`; gone when the test has finished. Resolves with its origin. */
export async function serveScript(script: string): Promise<string> {
  const page = '<link rel="icon" href="data:,"><script type="module" src="/page.js"></script>';
  const server = createServer((request, response) => {
    const isScript = request.url === '/page.js';
    response.setHeader('content-type', isScript ? 'text/javascript' : 'text/html; charset=utf-8');
    response.end(isScript ? script : page);
  });
  await listenAt({ port: 0, host: '127.0.0.1' }, server);
  onTestFinished(() => server.closeAllConnections());
  return `http://127.0.0.1:${(server.address() as { port: number }).port}`;
}
