import { isIP, isIPv4 } from 'node:net';
import ipaddr from 'ipaddr.js';

/** IP addresses as text: one spelling each, and what to count them by. */

/** An address and a prefix length, as the configuration gives them. */
export type AddressBlock = readonly [ipaddr.IPv4 | ipaddr.IPv6, number];

/** Whether an address, normalised or not, is one of those meant. */
export type AddressMatcher = (address: string) => boolean;

/**
 * The one spelling of an address: IPv6 as RFC 5952 has it, without a zone, IPv4-mapped IPv6 as IPv4. Undefined for
 * anything else, the octal and short forms of IPv4 among it.
 */
export function normaliseAddress(text: string): string | undefined {
  if (isIPv4(text)) return text;
  if (isIP(text) === 0) return undefined;
  return ipaddr.process(withoutZone(text)).toString();
}

/** Leading bits of an IPv6 address that make one client, unless the configuration says otherwise. */
export const DEFAULT_IPV6_PREFIX = 64;

/** What to count a client by: its IPv4 address, or that prefix of its IPv6 address, since one subscriber holds a /64 at least. */
export function addressKey(text: string, ipv6Prefix = DEFAULT_IPV6_PREFIX): string {
  // Most are normalised IPv4 addresses.
  if (!text.includes(':')) return text;
  const address = normaliseAddress(text);
  if (address === undefined || isIPv4(address)) return address ?? text;
  const network = ipaddr.IPv6.networkAddressFromCIDR(`${address}/${ipv6Prefix}`);
  return `${network.toString()}/${ipv6Prefix}`;
}

/** Whether a host, without a port, is a name or address of this machine for itself (RFC 6761 §6.3). */
export function isLoopback(host: string): boolean {
  const name = normaliseAddress(host) ?? host.toLowerCase().replace(/\.$/, '');
  if (isIP(name) === 0) return name === 'localhost' || name.endsWith('.localhost');
  return isIPv4(name) ? name.startsWith('127.') : name === '::1';
}

/** Compiles address blocks into one matcher. A block of IPv4-mapped addresses means the IPv4 ones. */
export function matchAddress(blocks: readonly AddressBlock[]): AddressMatcher {
  const compiled = blocks.map(unmapBlock);
  return function isAmong(text) {
    if (compiled.length === 0 || isIP(text) === 0) return false;
    const address = ipaddr.process(withoutZone(text));
    return compiled.some(
      ([network, bits]) => network.kind() === address.kind() && address.match(network, bits),
    );
  };
}

function unmapBlock([network, bits]: AddressBlock): AddressBlock {
  const mapped = network instanceof ipaddr.IPv6 && network.isIPv4MappedAddress() && bits >= 96;
  return mapped ? [network.toIPv4Address(), bits - 96] : [network, bits];
}

function withoutZone(text: string): string {
  return text.split('%', 1)[0] as string;
}
