import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import type { Logger } from 'pino';
import type { ListenerConfig } from '../config/schema.ts';
import type { AddressMatcher } from '../http/address.ts';
import type { Connections } from './connections.ts';
import type { PlainSockets } from './http1.ts';
import type { ConnectionObserver } from './observer.ts';
import { afterProxyHeader } from './proxied.ts';
import { TlsHandshakes } from './tls-handshakes.ts';

/** A listener's connections, from their birth until HTTP is spoken on them. */

export interface GuardDeps {
  readonly logger: Logger;
  readonly trustedProxies: AddressMatcher;
  readonly connections: Connections;
  readonly observer: ConnectionObserver;
  /** Milliseconds for a trusted proxy to say whom a connection is for. */
  readonly proxyHeaderMs: number;
}

/** Calls `next` once it is known whom a connection is for. */
type Introduce = (socket: Socket, next: () => void) => void;

/** Node begins to serve a connection only when the proxy in front has said whom it is for. */
function inFrontOf(server: Server, { trustedProxies, proxyHeaderMs, observer }: GuardDeps): Introduce {
  const options = { trusted: trustedProxies, withinMs: proxyHeaderMs, observer };
  const own = server.listeners('connection');
  server.removeAllListeners('connection');
  return function introduce(socket, next) {
    function serve(): void {
      next();
      for (const listener of own) listener.call(server, socket);
    }
    afterProxyHeader(socket, serve, options);
  };
}

function atOnce(_socket: Socket, next: () => void): void {
  next();
}

/** Gives every socket an error listener at birth, finds it a place, and returns those that speak plain HTTP so far. */
export function guardConnections(
  server: Server,
  { tls, proxyProtocol }: ListenerConfig,
  deps: GuardDeps,
): PlainSockets {
  const { connections, observer, logger } = deps;
  const secure = tls !== undefined;
  const introduce = proxyProtocol ? inFrontOf(server, deps) : atOnce;
  const handshakes = new TlsHandshakes(connections, observer);
  const { plain, begin } = watchPlain(server);
  function onSocketError(error: Error): void {
    logger.debug({ err: error }, 'a client connection failed');
  }
  server.on('connection', function onConnection(socket: Socket) {
    socket.on('error', onSocketError);
    if (!connections.take(socket, secure ? 'tls handshake' : 'http')) return;
    introduce(socket, () => (secure ? handshakes.begin(socket) : begin(socket)));
  });
  if (!secure) return plain;
  handshakes.watch(server);
  server.on('secureConnection', function onSecureConnection(socket: Socket) {
    socket.on('error', onSocketError);
    begin(socket);
  });
  return plain;
}

/** The sockets on which HTTP is spoken, and what takes one in. */
function watchPlain(server: Server): { plain: PlainSockets; begin: (socket: Socket) => void } {
  const plain: PlainSockets = new Map();
  // One function for all sockets: a closure each would be kept as long as a session lasts.
  function onSocketClose(this: Socket): void {
    plain.delete(this);
  }
  function begin(socket: Socket): void {
    // What comes before HTTP, a TLS handshake above all, may end after the listener has closed.
    if (!server.listening) {
      socket.destroy();
      return;
    }
    plain.set(socket, undefined);
    socket.on('close', onSocketClose);
  }
  return { plain, begin };
}
