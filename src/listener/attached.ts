import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { GatewayError } from '../errors.ts';
import { isLoopback } from '../http/address.ts';
import { type Http1Deps, partsOf } from './http1.ts';
import { type Http1Parts, Http1Upgrade, type PendingUpgrade } from './pending-upgrade.ts';

type AttachedDeps = Pick<Http1Deps, 'connections' | 'trustedProxies'>;

/** For a refused client to read why. */
const LINGER_MS = 2_000;
/** Whoever comes by a unix socket is on this machine, and has no address of its own. */
const UNIX_PEER = '127.0.0.1';

/** What becomes of the upgrades on somebody else's server. */
export interface AttachedHandlers {
  upgrade(pending: PendingUpgrade): void;
  /** Some route takes it, or must refuse it. */
  isOurs(message: IncomingMessage): boolean;
}

interface Attachment extends AttachedHandlers, AttachedDeps {}

/** One for a server, however many gateways are attached to it: only together they know that none of them takes an upgrade. */
const ATTACHED = new WeakMap<Server, Attachments>();

/**
 * Takes the upgrades of a program's own HTTP/1.1 server. What no route of ours takes is left to the server's other listeners
 * for upgrades; with none it is refused here, since nobody else would. Plain requests stay the server's. Returns the undo.
 */
export function attachTo(server: Server, handlers: AttachedHandlers, deps: AttachedDeps): () => void {
  const attachments = ATTACHED.get(server) ?? new Attachments(server);
  ATTACHED.set(server, attachments);
  return attachments.add({ ...deps, upgrade: handlers.upgrade, isOurs: handlers.isOurs });
}

class Attachments {
  readonly #server: Server;
  readonly #all = new Set<Attachment>();
  /** Answers of the server's own that are not finished, by the socket they are for. */
  readonly #unanswered = new WeakMap<Socket, number>();

  constructor(server: Server) {
    this.#server = server;
  }

  add(attachment: Attachment): () => void {
    if (this.#all.size === 0) {
      this.#server.on('upgrade', this.#onUpgrade);
      this.#server.prependListener('request', this.#onRequest);
    }
    this.#all.add(attachment);
    return () => this.#remove(attachment);
  }

  #remove(attachment: Attachment): void {
    if (!this.#all.delete(attachment) || this.#all.size > 0) return;
    this.#server.off('upgrade', this.#onUpgrade);
    this.#server.off('request', this.#onRequest);
  }

  readonly #onRequest = ({ socket }: IncomingMessage, response: ServerResponse): void => {
    this.#unanswered.set(socket, (this.#unanswered.get(socket) ?? 0) + 1);
    response.once('close', () => this.#unanswered.set(socket, (this.#unanswered.get(socket) ?? 1) - 1));
  };

  readonly #onUpgrade = (message: IncomingMessage, _socket: Duplex, early: Buffer): void => {
    const { socket } = message;
    // The server has taken its hands off the socket, and whoever else listens may leave it alone.
    socket.on('error', () => socket.destroy());
    const [first, ...others] = this.#all;
    const taker = [first, ...others].find((each) => each?.isOurs(message));
    if (taker === undefined && this.#server.listenerCount('upgrade') > 1) return;
    // A 101 before an unfinished response would be read as a part of it.
    if ((this.#unanswered.get(socket) ?? 0) > 0) socket.destroy();
    else this.#hand(taker ?? (first as Attachment), message, early);
  };

  #hand(to: Attachment, message: IncomingMessage, early: Buffer): void {
    const { socket } = message;
    if (!socket.writable || !to.connections.take(socket, 'http')) return;
    const pending = new Http1Upgrade(this.#partsFor(to, message), early);
    if (to.connections.begin(socket)) to.upgrade(pending);
    else pending.refuse(new GatewayError('GATEWAY_FULL'));
  }

  #partsFor(to: Attachment, message: IncomingMessage): Http1Parts {
    const address = this.#server.address();
    const isUnix = typeof address === 'string';
    const isPlain = !('setSecureContext' in this.#server);
    const isLocal = isPlain && !isUnix && address !== null && isLoopback(address.address);
    const parts = partsOf(message, { ...to, isLocal, lingerMs: LINGER_MS });
    return isUnix ? { ...parts, connection: { ...parts.connection, peerAddress: UNIX_PEER } } : parts;
  }
}
