import { isIP, isIPv4 } from 'node:net';
import { normaliseAddress } from '../http/address.ts';

/** Whether `host`, of a Host header, means the listener that took a connection at `localAddress`. */
export type OwnHostMatcher = (host: string, localAddress: string) => boolean;

/**
 * Compiles the names by which a listener is called. This machine's names for itself and the address that a connection
 * came to are always among them. A web page can have its own name point at a listener it has no business with (DNS
 * rebinding), but its browser then sends that name.
 */
export function matchOwnHost(names: readonly string[]): OwnHostMatcher {
  const known = new Set(names.map(spelling));
  return function isOwnHost(host, localAddress) {
    const name = spelling(host);
    return isLoopback(name) || name === spelling(localAddress) || known.has(name);
  };
}

function isLoopback(name: string): boolean {
  if (isIP(name) === 0) return name === 'localhost' || name.endsWith('.localhost');
  return isIPv4(name) ? name.startsWith('127.') : name === '::1';
}

/** Names are the same in either case, and with or without the dot of the root. */
function spelling(host: string): string {
  return normaliseAddress(host) ?? host.toLowerCase().replace(/\.$/, '');
}
