import type { Agent, ClientRequest, IncomingMessage, ServerResponse } from 'node:http';
import { createRequire } from 'node:module';
import type { Stream } from 'node:stream';
import type HttpProxy from 'http-proxy';
import type { Connections } from './connections.ts';

/**
 * http-proxy 1.18 reduced to what it is trusted with: turning one request into one upstream request. What it would do
 * to headers, bodies and answers on the way is switched off here and done in the files beside this one.
 */

/** Where requests go. TLS is not its business: its connections are ready to be used. */
export interface Target {
  /** No brackets around IPv6. */
  readonly host: string;
  readonly port: number;
}

/** One request for the library to send. */
export interface Parcel {
  /** Its `headers` go upstream as they are. */
  readonly message: IncomingMessage;
  readonly response: ServerResponse;
  /** Gets the upstream request before a byte of it is sent; ends it or pipes the body into it. */
  readonly fill: (upstream: ClientRequest) => void;
  /** An error of either side before the upstream's answer. */
  readonly onError: (error: Error) => void;
}

// Now, and not for the first request: by then there may be no descriptor left to read it with.
const library = loadHttpProxy();

/** Returns the function that sends requests to `target` over `connections`. It throws what `http.request` throws. */
export function createSender(target: Target, connections: Connections): (parcel: Parcel) => void {
  let fillNext: Parcel['fill'] = () => {};
  // The upstream request is otherwise out of reach until it gets a socket, which may be never: a client that leaves, or a
  // deadline that passes, could not end it. The body's `pipe` is the one place that gets it at once, while `web` runs.
  const buffer = { pipe: (upstream: ClientRequest) => fillNext(upstream) } as unknown as Stream;
  const proxy = library.createProxyServer({
    target: { ...target, protocol: 'http:' },
    // Node's client takes any object for an agent that gives it sockets.
    agent: connections as unknown as Agent,
    buffer,
    // Copies hop-by-hop fields into the answer, and claims keep-alive where the client asked for close.
    selfHandleResponse: true,
    // Else the path is read by `url.parse`, which takes `//user@name` for a host and throws if the name is none.
    toProxy: true,
    // Never `ssl` here: setupOutgoing writes one request's host and headers into that shared object.
  });
  keepOnlyStream(proxy);
  return function send({ message, response, fill, onError }) {
    fillNext = fill;
    // Without a callback an error is emitted, and thrown if nobody listens: any failed request would end the process. Options
    // of one request would be copied twice.
    proxy.web(message, response, onError as unknown as HttpProxy.ServerOptions);
  };
}

/**
 * Drops `deleteLength`, which declares the chunked body of a DELETE or OPTIONS to be empty and then sends it, so that the
 * upstream reads the body as the next request (request smuggling); `XHeaders`, which lets clients forge X-Forwarded-*;
 * and `timeout`, which sets one on a socket that other requests use later.
 */
function keepOnlyStream(proxy: HttpProxy): void {
  const lists = proxy as unknown as { webPasses: { readonly name: string }[] };
  lists.webPasses = lists.webPasses.filter((pass) => pass.name === 'stream');
}

/** The library keeps hold of `util._extend`, which prints a deprecation (DEP0060) when called; at its load it gets the same function without that. */
function loadHttpProxy(): typeof HttpProxy {
  const require = createRequire(import.meta.url);
  const util = require('node:util');
  const deprecated = util._extend;
  util._extend = Object.assign;
  try {
    return require('http-proxy');
  } finally {
    util._extend = deprecated;
  }
}
