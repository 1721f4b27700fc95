import { readFileSync } from 'node:fs';
import { connect, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { UpstreamTls } from '../config/schema.ts';
import { GatewayError } from '../errors.ts';

/** Where a socket is to lead; with `tls` the peer's certificate is verified. */
export interface Destination {
  /** An address: names are looked up before, and TLS is told them. */
  readonly host: string;
  readonly port: number;
  readonly tls?: TlsTrust;
  /** Node answers the peer's FIN by itself, as its HTTP clients expect. Absent: the FIN is the caller's to answer. */
  readonly autoEnd?: boolean;
}

/**
 * How an upstream's certificate is judged: authorities in PEM (the system's if undefined), and the name it must carry;
 * without one it must carry the address.
 */
export interface TlsTrust {
  readonly ca: Buffer | undefined;
  readonly servername: string | undefined;
}

/** Opens a socket, or gives up when `signal` aborts. */
export type Connect = (where: Destination, signal: AbortSignal) => Promise<Socket>;

/** Reads the `tls` of an upstream once, when the route is built. Throws if the file cannot be read. */
export function trustOf(tls: UpstreamTls | undefined): TlsTrust {
  return { ca: tls?.ca === undefined ? undefined : readFileSync(tls.ca), servername: tls?.servername };
}

/**
 * Opens a socket. It has an `error` listener from the start, so that a reset between two awaits cannot end the process.
 * Rejects with UPSTREAM_REFUSED, or UPSTREAM_TIMEOUT when `signal` aborts first; the socket is then destroyed.
 */
export function openSocket(where: Destination, signal: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(new GatewayError('UPSTREAM_TIMEOUT'));
      return;
    }
    const socket = begin(where);
    const opened = where.tls === undefined ? 'connect' : 'secureConnect';
    const onAbort = () => onFailure('UPSTREAM_TIMEOUT', { detail: 'while connecting' });
    const onError = (cause: Error) => onFailure('UPSTREAM_REFUSED', { cause });
    const onClose = () => onFailure('UPSTREAM_REFUSED', { detail: 'closed while connecting' });
    function onFailure(...failure: ConstructorParameters<typeof GatewayError>) {
      leave();
      socket.destroy();
      reject(new GatewayError(...failure));
    }
    function onOpen() {
      leave();
      resolve(socket);
    }
    // Nothing of the dial is to live as long as the socket.
    function leave() {
      signal.removeEventListener('abort', onAbort);
      socket.off(opened, onOpen).off('error', onError).off('close', onClose);
    }
    signal.addEventListener('abort', onAbort, { once: true });
    socket.on('error', ignore).on('error', onError).on('close', onClose).on(opened, onOpen);
  });
}

function ignore(): void {}

function begin({ host, port, tls, autoEnd = false }: Destination): Socket {
  // Half-open, so that a FIN is ours to answer: what is still to be flushed must not be cut by Node's own end().
  const options = {
    host,
    port,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: 60_000,
    allowHalfOpen: !autoEnd,
  };
  if (tls === undefined) return connect(options);
  const servername = tls.servername ?? (isIP(host) === 0 ? host : '');
  return connectTls({ ...options, ca: tls.ca, servername, ALPNProtocols: ['http/1.1'] });
}
