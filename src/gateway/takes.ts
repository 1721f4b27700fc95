import type { IncomingMessage } from 'node:http';
import { parseHost, parseTarget } from '../http/target.ts';
import type { Routes } from '../route-table.ts';

/** Whether a route takes the upgrades to an address; what cannot be read is for us to refuse. */
export function takes(routes: Routes): (message: IncomingMessage) => boolean {
  return function isOurs({ url = '', headers: { host = '' } }) {
    try {
      const { path, authority = host } = parseTarget(url, 'GET');
      return routes.current.find(parseHost(authority), path, 'upgrade').route !== undefined;
    } catch {
      return true;
    }
  };
}
