import { connect, isIP, type Socket } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import { asGatewayError, GatewayError } from '../errors.ts';
import { type Remedies, tlsFault } from '../tls-fault.ts';
import type { TlsTrust } from '../tls-trust.ts';
import type { Preamble } from './preamble.ts';

/** Where a socket is to lead, and whether through TLS. */
export interface Destination {
  /** An address: names are looked up before, and TLS is told them. */
  readonly host: string;
  readonly port: number;
  /** A unix socket, which is dialled in place of host and port. */
  readonly socketPath?: string | undefined;
  readonly tls?: TlsTrust;
  /** What is offered through TLS by ALPN (RFC 7301), the best first. Absent: HTTP/1.1. */
  readonly alpn?: readonly string[] | undefined;
  /** What is to be written where the service speaks no TLS, such as `ws://`; for the log. */
  readonly plain?: string | undefined;
  /** What is said on it first, before TLS. */
  readonly preamble?: Preamble | undefined;
  /** Milliseconds without a byte after which TCP asks whether the host is there; Infinity: it does not. Absent: a minute. */
  readonly keepaliveMs?: number | undefined;
  /** Node answers the peer's FIN by itself, as its HTTP clients expect. Absent: the FIN is the caller's to answer. */
  readonly autoEnd?: boolean;
}

/** Opens a socket, or gives up when `signal` aborts. */
export type Connect = (where: Destination, signal: AbortSignal) => Promise<Socket>;

/** How soon a unix socket whose queue is full is dialled again. */
const QUEUE_MS = 10;

/**
 * Opens a socket. It has an `error` listener from the start, so that a reset between two awaits cannot end the process.
 * Rejects with UPSTREAM_REFUSED, or UPSTREAM_TIMEOUT when `signal` aborts first; the socket is then destroyed.
 */
export function openSocket(where: Destination, signal: AbortSignal): Promise<Socket> {
  const { tls, preamble, socketPath } = where;
  if (preamble !== undefined || (tls !== undefined && socketPath !== undefined))
    return openInSteps(where, signal);
  return open(where, signal);
}

function open(where: Destination, signal: AbortSignal): Promise<Socket> {
  return where.socketPath === undefined ? attempt(where, signal) : queue(where, signal);
}

/** What is said in plain text goes ahead of TLS. */
async function openInSteps(where: Destination, signal: AbortSignal): Promise<Socket> {
  const { tls, preamble, ...rest } = where;
  const socket = await open(rest, signal);
  const said = await preamble?.(socket, signal).catch((error) => {
    socket.destroy();
    throw asGatewayError(error);
  });
  const ready = tls === undefined ? socket : await attempt(where, signal, socket);
  if (said?.length) ready.unshift(said);
  return ready;
}

/**
 * While a service accepts nobody, a TCP dial waits for it; that of a unix socket fails at once (connect(2), EAGAIN), and
 * so is begun again.
 */
async function queue(where: Destination, signal: AbortSignal): Promise<Socket> {
  let full: unknown;
  for (;;) {
    try {
      return await attempt(where, signal);
    } catch (error) {
      const { code, cause } = error as GatewayError;
      if (isFull(cause)) full = cause;
      else if (full === undefined || code !== 'UPSTREAM_TIMEOUT') throw error;
      if (!signal.aborted) await wait(QUEUE_MS);
      // The time may be over while it waits or while it dials: the cause is the full queue either way.
      if (signal.aborted)
        throw new GatewayError('UPSTREAM_TIMEOUT', { detail: 'while connecting', cause: full });
    }
  }
}

function isFull(cause: unknown): boolean {
  return (cause as NodeJS.ErrnoException | undefined)?.code === 'EAGAIN';
}

/** `under`: an open socket, on which TLS is to begin. */
function attempt(where: Destination, signal: AbortSignal, under?: Socket): Promise<Socket> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(new GatewayError('UPSTREAM_TIMEOUT'));
      return;
    }
    const socket = begin(where, under);
    const opened = where.tls === undefined ? 'connect' : 'secureConnect';
    const onAbort = () => {
      const stage = socket.connecting
        ? 'while connecting'
        : 'during its TLS handshake: does it speak TLS there?';
      onFailure('UPSTREAM_TIMEOUT', { detail: stage });
    };
    const onError = (cause: Error) =>
      onFailure('UPSTREAM_REFUSED', { cause: tlsFault(cause, remediesFor(where)) });
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

function remediesFor({ plain = 'ws://' }: Destination): Remedies {
  return {
    plain,
    authority: 'name it in upstream.tls.ca',
    name: 'write the one that counts in upstream.tls.servername',
  };
}

const KEEPALIVE_MS = 60_000;

function begin(where: Destination, under?: Socket): Socket {
  const { host, port, socketPath, tls, alpn, autoEnd = false, keepaliveMs = KEEPALIVE_MS } = where;
  // Half-open, so that a FIN is ours to answer: what is still to be flushed must not be cut by Node's own end().
  const allowHalfOpen = !autoEnd;
  if (socketPath !== undefined && under === undefined) return connect({ path: socketPath, allowHalfOpen });
  const options = {
    host,
    port,
    noDelay: true,
    ...(keepaliveMs < Infinity && { keepAlive: true, keepAliveInitialDelay: keepaliveMs }),
    allowHalfOpen,
  };
  if (tls === undefined) return connect(options);
  const servername = tls.servername ?? (isIP(host) === 0 ? host : '');
  return connectTls({
    ...options,
    ...(under && { socket: under }),
    secureContext: tls.context,
    servername,
    rejectUnauthorized: tls.isVerified,
    ALPNProtocols: [...(alpn ?? ['http/1.1'])],
  });
}
