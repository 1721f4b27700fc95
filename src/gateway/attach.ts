import { EventEmitter } from 'node:events';
import type { Server } from 'node:http';
import { attachTo } from '../listener/attached.ts';
import type { ListenerDeps, ListenerHandlers } from '../listener/server.ts';
import type { Routes } from '../route-table.ts';
import type { Closers } from './closers.ts';
import { takes } from './takes.ts';

/** Makes a gateway's `attach`. A server that it is attached to already stays so, once. Throws TypeError for what is no server. */
export function createAttach(
  { routes, upgrade }: { readonly routes: Routes } & Pick<ListenerHandlers, 'upgrade'>,
  deps: ListenerDeps,
  closers: Closers,
): (server: Server) => () => void {
  const attached = new Map<Server, () => void>();
  closers.add(() => {
    for (const detach of attached.values()) detach();
    attached.clear();
  });
  return function attach(server) {
    if (!(server instanceof EventEmitter) || !('listen' in server))
      throw new TypeError('attach takes an http.Server or an https.Server');
    const detach = attached.get(server) ?? attachTo(server, { upgrade, isOurs: takes(routes) }, deps);
    attached.set(server, detach);
    return () => {
      attached.delete(server);
      detach();
    };
  };
}
