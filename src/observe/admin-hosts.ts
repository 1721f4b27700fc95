import { isLoopback, normaliseAddress } from '../http/address.ts';

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

/** Names are the same in either case, and with or without the dot of the root. */
function spelling(host: string): string {
  return normaliseAddress(host) ?? host.toLowerCase().replace(/\.$/, '');
}
