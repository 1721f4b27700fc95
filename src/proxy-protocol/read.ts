import { isIPv4, isIPv6 } from 'node:net';
import ipaddr from 'ipaddr.js';
import { type Ends, SIGNATURE, TLV } from './types.ts';

/** What a header says. */
export interface ProxyHeader {
  /** Bytes it takes up: what follows is the connection's own. */
  readonly length: number;
  /** Undefined where the proxy speaks for itself, as its health checks do, or does not know (LOCAL, UNKNOWN, UNSPEC). */
  readonly ends: Ends | undefined;
  /** The client spoke TLS to the proxy. */
  readonly secure: boolean;
}

/** A connection does not begin with a header that can be read; its text says how. */
export class ProxyHeaderError extends Error {
  override readonly name = 'ProxyHeaderError';
}

/** Of version 1, its end included (§2.1). */
const MAX_LINE_BYTES = 107;
/** Of version 2: room for the addresses, and for all the values that proxies send, certificates among them. */
const MAX_BLOCK_BYTES = 16 * 1024;
const HEAD_BYTES = 16;
/** Bytes of an address, by the family in the upper half of a byte; in the lower half, 1 is a stream. */
const STREAMS: Readonly<Record<number, number>> = { 17: 4, 33: 16 };
const [LOCAL, PROXY] = [0x20, 0x21];

/**
 * Reads the header that `bytes` begin with, of either version; undefined while more of it has to come. Throws
 * ProxyHeaderError where they begin with something else, or with one that is malformed.
 */
export function readProxyHeader(bytes: Buffer): ProxyHeader | undefined {
  const known = Math.min(bytes.length, SIGNATURE.length);
  if (bytes.compare(SIGNATURE, 0, known, 0, known) === 0) return readVersion2(bytes);
  return readVersion1(bytes);
}

function readVersion1(bytes: Buffer): ProxyHeader | undefined {
  const begin = 'PROXY ';
  if (!begin.startsWith(bytes.toString('latin1', 0, begin.length)))
    throw new ProxyHeaderError('the connection does not begin with a PROXY header');
  const end = bytes.indexOf('\r\n');
  if (end > MAX_LINE_BYTES - 2 || (end < 0 && bytes.length >= MAX_LINE_BYTES))
    throw new ProxyHeaderError(`the PROXY line has more than ${MAX_LINE_BYTES} bytes`);
  if (end < 0) return undefined;
  return { length: end + 2, ends: endsOfLine(bytes.toString('latin1', 0, end)), secure: false };
}

function endsOfLine(line: string): Ends | undefined {
  const [, family, ...words] = line.split(' ');
  if (family === 'UNKNOWN') return undefined;
  const isAddress = family === 'TCP4' ? isIPv4 : family === 'TCP6' ? isPlainIPv6 : undefined;
  const [from = '', to = '', fromPort = '', toPort = '', ...more] = words;
  if (isAddress === undefined || !isAddress(from) || !isAddress(to) || more.length > 0) throw malformedLine();
  return {
    source: { address: spelling(from), port: portOf(fromPort) },
    destination: { address: spelling(to), port: portOf(toPort) },
  };
}

/** A zone means something on one machine only, and no header has one (§2.1). */
function isPlainIPv6(text: string): boolean {
  return isIPv6(text) && !text.includes('%');
}

function portOf(text: string): number {
  if (!/^(?:0|[1-9]\d{0,4})$/.test(text) || Number(text) > 65_535) throw malformedLine();
  return Number(text);
}

function malformedLine(): ProxyHeaderError {
  return new ProxyHeaderError('the PROXY line is malformed');
}

function readVersion2(bytes: Buffer): ProxyHeader | undefined {
  if (bytes.length < HEAD_BYTES) return undefined;
  const command = bytes[12];
  const blockLength = bytes.readUInt16BE(14);
  if (command !== LOCAL && command !== PROXY)
    throw new ProxyHeaderError('the PROXY header has an unknown version or command');
  if (blockLength > MAX_BLOCK_BYTES)
    throw new ProxyHeaderError(`the PROXY header has ${blockLength} bytes; at most ${MAX_BLOCK_BYTES}`);
  const length = HEAD_BYTES + blockLength;
  if (bytes.length < length) return undefined;
  const size = STREAMS[bytes[13] as number];
  const block = bytes.subarray(HEAD_BYTES, length);
  // Of datagrams and unix sockets, which have no address that could be counted, nothing is read.
  if (command === LOCAL || size === undefined) return { length, ends: undefined, secure: false };
  return { length, ends: endsOfBlock(block, size), secure: spokeTls(block.subarray(2 * size + 4)) };
}

function endsOfBlock(block: Buffer, size: number): Ends {
  if (block.length < 2 * size + 4) throw new ProxyHeaderError('the PROXY header ends within its addresses');
  const address = (at: number) => ipaddr.fromByteArray([...block.subarray(at, at + size)]);
  const ports = 2 * size;
  return {
    source: { address: spelling(address(0).toString()), port: block.readUInt16BE(ports) },
    destination: { address: spelling(address(size).toString()), port: block.readUInt16BE(ports + 2) },
  };
}

/** The one spelling of an address; an IPv4-mapped one is an IPv4 address. */
function spelling(address: string): string {
  return ipaddr.process(address).toString();
}

/** Values of unknown types are passed over by their length. */
function spokeTls(values: Buffer): boolean {
  for (let at = 0; at + 3 <= values.length; ) {
    const length = values.readUInt16BE(at + 1);
    const begin = at + 3;
    if (begin + length > values.length) throw new ProxyHeaderError('the PROXY header ends within a value');
    // The first byte holds flags: 1, the client connected over TLS (§2.2.6).
    if (values[at] === TLV.SSL && length > 0) return ((values[begin] as number) & 1) === 1;
    at = begin + length;
  }
  return false;
}
