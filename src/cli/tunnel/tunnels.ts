import { connect, type OpenedConnection, type TcpConnection } from '../../client/index.ts';
import { readAuthorities } from '../../config/certificate.ts';
import type { Context } from '../context.ts';
import { type Course, carry, type Local } from './carry.ts';
import type { TunnelOptions } from './options.ts';
import { tokenSource } from './token.ts';
import { createWebSockets } from './websocket.ts';

/** What is to know of one tunnel besides its bytes. */
export interface Passage extends Course {
  /** The service is reached. */
  onOpened(connection: OpenedConnection): void;
}

/** TCP connections through a gateway. */
export interface Tunnels {
  /** Resolves when both directions have ended. Rejects when the tunnel is not made, breaks, or this side does; it is broken in that case. */
  join(local: Local, url: string, passage: Passage): Promise<void>;
  /** Resolves when its WebSockets have closed, or have been cut. */
  close(): Promise<void>;
}

/** With the token's own time, and that of the dial. */
const OPEN_MS = 60_000;

/** Throws CommandError and CertificateError for options that cannot be used. */
export function createTunnels(context: Context, options: TunnelOptions): Tunnels {
  const token = tokenSource(options, context);
  const sockets = createWebSockets(options.ca === undefined ? undefined : readAuthorities(options.ca).pem);
  return { join, close: sockets.close };

  async function join(local: Local, url: string, passage: Passage): Promise<void> {
    const stop = new AbortController();
    const connection = open(url, AbortSignal.any([passage.signal, stop.signal]));
    try {
      passage.onOpened(await connection.opened);
      await carry(local, connection, passage);
    } finally {
      stop.abort(new Error('this side is broken'));
    }
  }

  function open(url: string, signal: AbortSignal): TcpConnection {
    const late = new AbortController();
    const timer = setTimeout(
      () => late.abort(new Error(`no answer of the gateway within ${OPEN_MS / 1000} s; try again later`)),
      OPEN_MS,
    );
    const connection = connect(url, {
      open: sockets.open,
      // Its own deadline, which says less, comes behind ours.
      openTimeoutMs: OPEN_MS,
      allowHalfOpen: true,
      // What other relays want.
      protocols: ['binary'],
      signal: AbortSignal.any([signal, late.signal]),
      ...(token !== undefined && { token }),
    });
    const settle = () => clearTimeout(timer);
    connection.opened.then(settle, settle);
    return connection;
  }
}
