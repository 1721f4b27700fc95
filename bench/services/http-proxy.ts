import httpProxy from 'http-proxy';
import { options, serveBoth, upstreamOf } from './proxies.ts';

/** `http-proxy` as its README says: requests through `web`, upgrades through `ws`. */

const proxy = httpProxy.createProxyServer();
proxy.on('error', () => undefined);
await serveBoth(
  (request, socket, head) => {
    proxy.ws(request, socket, head, { target: `ws://127.0.0.1:${upstreamOf(request)}` });
  },
  (request, response) => proxy.web(request, response, { target: `http://127.0.0.1:${options.http}` }),
);
