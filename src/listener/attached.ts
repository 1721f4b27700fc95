import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { GatewayError } from '../errors.ts';
import { isLoopback } from '../http/address.ts';
import { type Http1Deps, partsOf } from './http1.ts';
import { Http1Upgrade, type PendingUpgrade } from './pending-upgrade.ts';

type AttachedDeps = Pick<Http1Deps, 'connections' | 'trustedProxies'>;

/** For a refused client to read why. */
const LINGER_MS = 2_000;

/** What becomes of the upgrades on somebody else's server. */
export interface AttachedHandlers {
  upgrade(pending: PendingUpgrade): void;
  /** Some route takes it, or must refuse it. */
  isOurs(message: IncomingMessage): boolean;
}

/**
 * Takes the upgrades of a program's own HTTP/1.1 server. What no route of ours takes is left to the server's other listeners
 * for upgrades; with none it is refused here, since nobody else would. Plain requests stay the server's. Returns the undo.
 */
export function attachTo(server: Server, handlers: AttachedHandlers, deps: AttachedDeps): () => void {
  const { connections } = deps;
  function onUpgrade(message: IncomingMessage, _socket: Duplex, early: Buffer): void {
    const { socket } = message;
    if (!handlers.isOurs(message) && server.listenerCount('upgrade') > 1) return;
    // Its own listener: the server has taken its hands off the socket.
    socket.on('error', () => socket.destroy());
    if (!socket.writable || !connections.take(socket, 'http')) return;
    const pending = new Http1Upgrade(
      partsOf(message, { ...deps, isLocal: isLocal(server), lingerMs: LINGER_MS }),
      early,
    );
    if (connections.begin(socket)) handlers.upgrade(pending);
    else pending.refuse(new GatewayError('GATEWAY_FULL'));
  }
  server.on('upgrade', onUpgrade);
  return () => server.off('upgrade', onUpgrade);
}

/** It speaks plain text, and only to this machine. */
function isLocal(server: Server): boolean {
  const address = server.address();
  const isPlain = !('setSecureContext' in server);
  return isPlain && address !== null && typeof address === 'object' && isLoopback(address.address);
}
