import ipaddr from 'ipaddr.js';

/** Addresses that lead to no public service, and what an address carries within it. Pure. */

type Address = ipaddr.IPv4 | ipaddr.IPv6;
type Block = readonly [Address, number];

/** IANA's special-purpose registries (RFC 6890), and where clouds tell machines their secrets. */
const SPECIAL = [
  ['unspecified', '0.0.0.0/8'],
  ['private', '10.0.0.0/8'],
  ['carrier-grade NAT', '100.64.0.0/10'],
  ['loopback', '127.0.0.0/8'],
  ['link-local', '169.254.0.0/16'],
  ['private', '172.16.0.0/12'],
  ['reserved', '192.0.0.0/24'],
  ['documentation', '192.0.2.0/24'],
  ['6to4 relay', '192.88.99.0/24'],
  ['private', '192.168.0.0/16'],
  ['benchmarking', '198.18.0.0/15'],
  ['documentation', '198.51.100.0/24'],
  ['documentation', '203.0.113.0/24'],
  ['metadata', '168.63.129.16/32'],
  ['multicast', '224.0.0.0/4'],
  ['reserved', '240.0.0.0/4'],
  ['unspecified', '::/128'],
  ['loopback', '::1/128'],
  ['IPv4-translated', '::ffff:0:0:0/96'],
  ['IPv4-compatible', '::/96'],
  ['local NAT64', '64:ff9b:1::/48'],
  ['discard', '100::/64'],
  ['Teredo', '2001::/32'],
  ['benchmarking', '2001:2::/48'],
  ['documentation', '2001:db8::/32'],
  ['reserved', '2001::/23'],
  ['6to4', '2002::/16'],
  ['documentation', '3fff::/20'],
  ['unique local', 'fc00::/7'],
  ['link-local', 'fe80::/10'],
  ['site-local', 'fec0::/10'],
  ['multicast', 'ff00::/8'],
] as const;

interface SpecialRange {
  readonly name: string;
  readonly network: Address;
  readonly bits: number;
}

const RANGES: readonly SpecialRange[] = SPECIAL.map(([name, block]) => {
  const [network, bits] = ipaddr.parseCIDR(block);
  return { name, network, bits };
});

/** NAT64 (RFC 6052 §2.1): a public address if that of IPv4 within it is one. */
const NAT64 = ipaddr.parseCIDR('64:ff9b::/96');
/** All that is handed out of IPv6 so far (RFC 4291 §2.4); the rest is nobody's yet. */
const UNICAST = ipaddr.parseCIDR('2000::/3');
const NOBODYS: SpecialRange = { name: 'reserved', network: ipaddr.parse('::'), bits: 0 };

/** The special range that an address is in; undefined if it is a public one. */
export function specialRange(address: Address): SpecialRange | undefined {
  const range = RANGES.find(({ network, bits }) => isWithin(address, [network, bits]));
  if (range !== undefined || address.kind() === 'ipv4') return range;
  return isWithin(address, UNICAST) || isWithin(address, NAT64) ? undefined : NOBODYS;
}

/** Whether a block lies within a special range, and so means that one. */
export function liesWithin([network, bits]: Block, range: SpecialRange): boolean {
  if (range === NOBODYS) return bits >= UNICAST[1] && specialRange(network) === NOBODYS;
  return bits >= range.bits && isWithin(network, [range.network, range.bits]);
}

/** What people have services in. */
const USUAL = ['private', 'unique local', 'loopback'];

/** A special range within a block that does not lie within one itself, one that is in use if there is such; undefined if there is none. */
export function specialWithin(block: Block): string | undefined {
  if (RANGES.some((range) => liesWithin(block, range))) return undefined;
  const within = RANGES.filter(({ network }) => isWithin(network, block));
  const range = within.find(({ name }) => USUAL.includes(name)) ?? within[0];
  return range && `${range.network}/${range.bits}`;
}

/** Whether an address is of a block's kind, and in it. */
export function isWithin(address: Address, [network, bits]: Block): boolean {
  return address.kind() === network.kind() && address.match(network, bits);
}

/**
 * An address, and the IPv4 addresses that it stands for to translators and tunnels on the way: whoever judges it judges all of
 * them. An IPv4-mapped one is nothing but that of IPv4.
 */
export function facesOf(address: Address): readonly Address[] {
  if (address instanceof ipaddr.IPv4) return [address];
  if (address.isIPv4MappedAddress()) return [address.toIPv4Address()];
  return [address, ...embeddedIn(address.toByteArray())];
}

/** Where the four bytes stand, by what the address begins with or has amid it. */
function embeddedIn(bytes: readonly number[]): ipaddr.IPv4[] {
  const hex = Buffer.from(bytes).toString('hex');
  const at = (offset: number) => new ipaddr.IPv4(bytes.slice(offset, offset + 4));
  const last = at(12);
  // NAT64 (RFC 6052 §2.2), its local prefix (RFC 8215) with 96 bits, IPv4-translated (RFC 2765 §2.1), IPv4-compatible (RFC 4291 §2.5.5.1),
  // as :: and ::1 are not.
  if (/^0064ff9b0{16}|^0064ff9b0001|^0{16}ffff0000|^0{24}(?!0{7}[01]$)/.test(hex)) return [last];
  // 6to4 (RFC 3056 §2), Teredo (RFC 4380 §4): the server's, and the client's with its bits turned over.
  if (hex.startsWith('2002')) return [at(2)];
  if (hex.startsWith('20010000')) return [at(4), new ipaddr.IPv4(bytes.slice(12).map((byte) => byte ^ 0xff))];
  // ISATAP (RFC 5214 §6.1).
  return /^.{16}0[02]005efe/.test(hex) ? [last] : [];
}
