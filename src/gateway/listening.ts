import type { Logger } from 'pino';
import type { Config } from '../config/schema.ts';
import { matchAddress } from '../http/address.ts';
import { Connections } from '../listener/connections.ts';
import type { ConnectionObserver } from '../listener/observer.ts';
import { type ListenerDeps, type ListenerHandlers, openListener } from '../listener/server.ts';
import { type Admin, type AdminDeps, startAdmin } from '../observe/admin.ts';
import { combineConnectionObservers, createConnectionLog } from '../observe/connections.ts';
import type { Address, ListeningAddress } from './address.ts';
import type { Closers } from './closers.ts';
import { mostConnections } from './most-connections.ts';

/** What all listeners of a gateway share; `counted` hears what befalls their connections. */
export async function listenerDeps(
  config: Config,
  counted: ConnectionObserver,
  logger: Logger,
): Promise<ListenerDeps> {
  const observer = combineConnectionObservers(createConnectionLog(logger), counted);
  const connections = new Connections(await mostConnections(config, logger), observer);
  return { logger, trustedProxies: matchAddress(config.trustedProxies), connections, observer };
}

/** Opens the listeners of a configuration, and says where they listen, in its order. Rejects as `openListener` does. */
export async function openListeners(
  config: Config,
  handlers: ListenerHandlers,
  deps: ListenerDeps,
  closers: Closers,
): Promise<readonly ListeningAddress[]> {
  const addresses: ListeningAddress[] = [];
  for (const listener of config.listeners) {
    const opened = await openListener(listener, handlers, deps);
    closers.add(() => opened.close());
    addresses.push(opened.address);
  }
  return addresses;
}

/** Where an admin listener listens; undefined if there is none, and for a unix socket. */
export function addressOf(admin: Admin | undefined): Address | undefined {
  const address = admin?.address;
  return address && { host: address.address, port: address.port };
}

/** Opens the admin listener, if there is to be one. Rejects with ListenerError. */
export async function openAdmin(
  { admin }: Config,
  deps: AdminDeps,
  closers: Closers,
): Promise<Address | undefined> {
  if (admin === undefined) return undefined;
  const opened = await startAdmin(admin, deps);
  closers.add(() => opened.close());
  return addressOf(opened);
}
