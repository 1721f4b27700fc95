import { isIPv6 } from 'node:net';
import ipaddr from 'ipaddr.js';
import { type Ends, type Place, SIGNATURE, TLV } from './types.ts';

/** What else version 2 says of a connection. */
export interface Facts {
  /** The host that the client asked for. */
  readonly authority?: string | undefined;
  readonly uniqueId?: string | undefined;
  /** Of the client's token. */
  readonly subject?: string | undefined;
}

const MAX_UNIQUE_ID_BYTES = 128;
/** Of one value: its length is two bytes long, and a service reads the whole header at once, as a rule. */
const MAX_VALUE_BYTES = 1_024;

/** Version 1: one line of text (§2.1). Ends of two families are both written as IPv6. */
export function writeVersion1(ends: Ends): Buffer {
  const { source, destination } = sameFamily(ends);
  const family = isIPv6(source.address) ? 'TCP6' : 'TCP4';
  const words = ['PROXY', family, source.address, destination.address, source.port, destination.port];
  return Buffer.from(`${words.join(' ')}\r\n`, 'latin1');
}

/** Version 2 (§2.2), with what else is known of the client behind the addresses. A value that is too long is left out, not cut. */
export function writeVersion2(ends: Ends, { authority, uniqueId, subject }: Facts): Buffer {
  const { source, destination } = sameFamily(ends);
  const rest = Buffer.concat([
    bytesOf(source),
    bytesOf(destination),
    portOf(source),
    portOf(destination),
    value(TLV.AUTHORITY, authority),
    value(TLV.UNIQUE_ID, uniqueId, MAX_UNIQUE_ID_BYTES),
    value(TLV.SUBJECT, subject),
  ]);
  // Version 2, command PROXY; then the family, over a stream.
  const head = Buffer.from([0x21, isIPv6(source.address) ? 0x21 : 0x11, 0, 0]);
  head.writeUInt16BE(rest.length, 2);
  return Buffer.concat([SIGNATURE, head, rest]);
}

/** Of a connection that is for the gateway itself, as a health check is (§2.1, §2.2). */
export function writeLocal(version: 'v1' | 'v2'): Buffer {
  if (version === 'v1') return Buffer.from('PROXY UNKNOWN\r\n', 'latin1');
  return Buffer.concat([SIGNATURE, Buffer.from([0x20, 0, 0, 0])]);
}

function sameFamily({ source, destination }: Ends): Ends {
  if (isIPv6(source.address) === isIPv6(destination.address)) return { source, destination };
  return { source: mapped(source), destination: mapped(destination) };
}

/** As IPv6: an IPv4 address in its IPv4-mapped form (RFC 4291 §2.5.5.2). */
function mapped({ address, port }: Place): Place {
  return { address: isIPv6(address) ? address : `::ffff:${address}`, port };
}

function bytesOf({ address }: Place): Buffer {
  return Buffer.from(ipaddr.parse(address).toByteArray());
}

function portOf({ port }: Place): Buffer {
  return Buffer.from([port >> 8, port & 0xff]);
}

function value(type: number, text = '', most = MAX_VALUE_BYTES): Buffer {
  const bytes = Buffer.from(text);
  if (bytes.length === 0 || bytes.length > most) return Buffer.alloc(0);
  return Buffer.concat([Buffer.from([type, bytes.length >> 8, bytes.length & 0xff]), bytes]);
}
