import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { writeFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import pino from 'pino';
import { generate } from 'selfsigned';
import { onTestFinished } from 'vitest';
import type { ListenerConfig } from '../../src/config/schema.ts';
import { GatewayError } from '../../src/errors.ts';
import { Connections } from '../../src/listener/connections.ts';
import type { ConnectionObserver } from '../../src/listener/observer.ts';
import {
  type Listener,
  type ListenerDeadlines,
  type ListenerDeps,
  type ListenerHandlers,
  openListener,
} from '../../src/listener/server.ts';
import { within } from './patience.ts';

/** Nobody listens to it. */
export const unheard: ConnectionObserver = {
  opened() {},
  closed() {},
  parted() {},
  tlsFailed() {},
  proxyHeaderFailed() {},
  acceptFailed() {},
};

/** What a listener needs, and most tests do not look at; `max` and `observer` are for those that do. */
export function depsOf(max = Infinity, observer = unheard): ListenerDeps {
  const connections = new Connections(max, observer);
  return { logger: pino({ enabled: false }), trustedProxies: () => false, connections, observer };
}

const unexpected: ListenerHandlers = {
  upgrade(pending) {
    pending.refuse(new GatewayError('INTERNAL', { detail: 'no upgrade was expected' }));
  },
  request({ response }) {
    response.destroy(new Error('no request was expected'));
  },
};

/** A listener on a free loopback port, closed when the test has finished. */
export async function open(
  handlers: Partial<ListenerHandlers> = {},
  deadlines: Partial<ListenerDeadlines> = {},
  tls?: ListenerConfig['tls'],
  deps = depsOf(),
): Promise<Listener> {
  const listener = await openListener(
    { host: '127.0.0.1', port: 0, tls },
    { ...unexpected, ...handlers },
    { ...deps, deadlines: { close: 200, ...deadlines } },
  );
  onTestFinished(() => listener.close());
  return listener;
}

/** A raw client; destroyed when the test has finished. It keeps its side open after the server's FIN. */
export function dial({ address }: Listener): Socket {
  const socket = connect({ port: address.port, host: '127.0.0.1', allowHalfOpen: true });
  // A reset may come when nobody waits for anything any more.
  socket.on('error', () => {});
  onTestFinished(() => {
    socket.destroy();
  });
  return socket;
}

/** Sends bytes and resolves with everything the server says until it ends. Rejects on a reset. */
export function say(listener: Listener, bytes: string): Promise<string> {
  const socket = dial(listener);
  socket.write(bytes);
  return within(text(socket), 'the end of an answer');
}

/** The listener's side of the next connection that it takes. */
export function serverSocket({ address }: Listener): Promise<Socket> {
  const { promise, resolve } = deferred<Socket>();
  function onSocket(message: unknown): void {
    const { socket } = message as { socket: Socket };
    if (socket.localPort === address.port) resolve(socket);
  }
  subscribe('net.server.socket', onSocket);
  onTestFinished(() => void unsubscribe('net.server.socket', onSocket));
  return promise;
}

/** Sends for as long as it is read. */
export function flood(client: Socket): void {
  const megabyte = Buffer.alloc(2 ** 20, 'x');
  function pour(): void {
    while (client.writable && client.write(megabyte));
  }
  client.on('drain', pour).on('error', () => {});
  pour();
}

/** Resolves when the connection has ended at either end. A client does not keep its side open then. */
export function gone(client: Socket): Promise<unknown> {
  client.on('error', () => {}).on('end', () => client.destroy());
  client.resume();
  return closed(client);
}

/** Resolves when a socket is closed. */
export function closed(socket: Socket): Promise<unknown> {
  if (socket.closed) return Promise.resolve();
  return within(new Promise((resolve) => socket.once('close', resolve)), 'the end of a connection');
}

/** A self-signed certificate for these DNS names, in two files of `folder`. */
export async function certificate(
  folder: string,
  names: readonly string[],
  validity: { notBeforeDate?: Date; notAfterDate?: Date } = {},
): Promise<{ cert: string; key: string }> {
  const altNames = names.map((value) => ({ type: 2 as const, value }));
  const made = await generate([{ name: 'commonName', value: names[0] }], {
    keyType: 'ec',
    algorithm: 'sha256',
    extensions: [{ name: 'subjectAltName', altNames }],
    ...validity,
  });
  const stem = join(folder, (names[0] as string).replace('*', 'wildcard'));
  await writeFile(`${stem}.crt`, made.cert);
  await writeFile(`${stem}.key`, made.private);
  return { cert: `${stem}.crt`, key: `${stem}.key` };
}

/** A promise to be settled from outside. */
export function deferred<T>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => {};
  const promise = new Promise<T>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}
