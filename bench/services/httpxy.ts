import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { createProxyServer } from 'httpxy';
import { agentFor, options, serveBoth, upstreamOf } from './proxies.ts';

/** `httpxy` as its README says: requests through `web`, upgrades through `ws`. */

/** Without an agent it opens a connection for each request, which is what it does by itself. */
function targetOf(request: IncomingMessage) {
  return { target: `http://127.0.0.1:${options.http}`, agent: agentFor(request) };
}

const proxy = createProxyServer();
proxy.on('error', () => undefined);
await serveBoth(
  (request, socket, head) => {
    const target = `ws://127.0.0.1:${upstreamOf(request)}`;
    proxy.ws(request, socket as Socket, { target }, head).catch(() => socket.destroy());
  },
  (request, response) => {
    proxy.web(request, response, targetOf(request)).catch(() => response.destroy());
  },
);
