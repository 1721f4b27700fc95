import type { Socket } from 'node:net';
import { createProxyServer } from 'httpxy';
import { options, serveBoth, upstreamOf } from './proxies.ts';

/** `httpxy` as its README says: requests through `web`, upgrades through `ws`. */

const proxy = createProxyServer();
proxy.on('error', () => undefined);
await serveBoth(
  (request, socket, head) => {
    const target = `ws://127.0.0.1:${upstreamOf(request)}`;
    proxy.ws(request, socket as Socket, { target }, head).catch(() => socket.destroy());
  },
  (request, response) => {
    proxy
      .web(request, response, { target: `http://127.0.0.1:${options.http}` })
      .catch(() => response.destroy());
  },
);
