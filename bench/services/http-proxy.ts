import type { IncomingMessage } from 'node:http';
import httpProxy from 'http-proxy';
import { agentFor, options, serveBoth, upstreamOf } from './proxies.ts';

/** `http-proxy` as its README says: requests through `web`, upgrades through `ws`. */

/** Without an agent it opens a connection for each request, which is what it does by itself. */
function targetOf(request: IncomingMessage) {
  return { target: `http://127.0.0.1:${options.http}`, agent: agentFor(request) };
}

const proxy = httpProxy.createProxyServer();
proxy.on('error', () => undefined);
await serveBoth(
  (request, socket, head) => {
    proxy.ws(request, socket, head, { target: `ws://127.0.0.1:${upstreamOf(request)}` });
  },
  (request, response) => proxy.web(request, response, targetOf(request)),
);
