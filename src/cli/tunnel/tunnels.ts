import { existsSync } from 'node:fs';
import {
  type ConnectOptions,
  connect,
  type OpenedConnection,
  type TcpConnection,
} from '../../client/index.ts';
import { isLoopback } from '../../http/address.ts';
import type { Context } from '../context.ts';
import { type Course, carry, type Local } from './carry.ts';
import { opened } from './opening.ts';
import type { TunnelOptions } from './options.ts';
import { proxyChooser } from './proxy.ts';
import { tlsSource } from './tls.ts';
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

/** For these URLs. Throws CommandError and CertificateError for options that cannot be used. */
export function createTunnels(context: Context, options: TunnelOptions, urls: readonly string[]): Tunnels {
  const token = tokenSource(options, context);
  const { retry: retryMs = 0 } = options;
  const proxyFor = proxyChooser(options.proxy, context.env);
  for (const url of urls) proxyFor(url);
  const sockets = createWebSockets({ tls: tlsSource(options), proxyFor });
  if (token !== undefined) warnOfPlainText(context, urls);
  warnOfAbsentFile(context, options);
  const common = { open: sockets.open, ...(token !== undefined && { token }) };
  return { join, close: sockets.close };

  async function join(local: Local, url: string, passage: Passage): Promise<void> {
    const stop = new AbortController();
    const signal = AbortSignal.any([passage.signal, stop.signal]);
    try {
      const connection = await whileThere(
        local,
        opened(() => attempt(url, { ...common, signal }), { retryMs, signal }),
      );
      passage.onOpened(await connection.opened);
      await carry(local, connection, passage);
    } finally {
      stop.abort(new Error('this side is broken'));
    }
  }
}

/** One attempt, which has its time. */
function attempt(
  url: string,
  { signal, ...options }: ConnectOptions & { signal: AbortSignal },
): TcpConnection {
  const late = new AbortController();
  const timer = setTimeout(
    () => late.abort(new Error(`no answer of the gateway within ${OPEN_MS / 1000} s; try again later`)),
    OPEN_MS,
  );
  const connection = connect(url, {
    ...options,
    // Its own deadline, which says less, comes behind ours.
    openTimeoutMs: OPEN_MS,
    allowHalfOpen: true,
    // What other relays want.
    protocols: ['binary'],
    signal: AbortSignal.any([signal, late.signal]),
  });
  const settle = () => clearTimeout(timer);
  connection.opened.then(settle, settle);
  return connection;
}

/** Settles as the promise does, or rejects once this side has broken. */
async function whileThere<T>({ output }: Local, promise: Promise<T>): Promise<T> {
  const gone = Promise.withResolvers<never>();
  const onClose = () => gone.reject(Object.assign(new Error('this side has left'), { code: 'ECONNRESET' }));
  output.on('close', onClose);
  if (output.closed) onClose();
  try {
    return await Promise.race([promise, gone.promise]);
  } finally {
    output.off('close', onClose);
  }
}

/** It may come later, as of a program that renews it; or never, as of a slip of the pen. */
function warnOfAbsentFile({ stderr }: Context, { tokenFile }: TunnelOptions): void {
  if (tokenFile === undefined || existsSync(tokenFile)) return;
  stderr.write(`sallyport: --token-file: there is no ${tokenFile} yet: connections fail until there is\n`);
}

/** A token that goes unencrypted is everybody's on the way. */
function warnOfPlainText({ stderr }: Context, urls: readonly string[]): void {
  const hosts = urls.map((url) => new URL(url)).filter(({ protocol }) => protocol === 'ws:');
  for (const host of new Set(hosts.map(({ hostname }) => hostname))) {
    if (isLoopback(host.replace(/^\[|\]$/g, ''))) continue;
    stderr.write(
      `sallyport: the token goes to ${host} in plain text, for everybody on the way to read: write wss://\n`,
    );
  }
}
