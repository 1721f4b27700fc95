import { isIPv6 } from 'node:net';
import { isToken } from '../listener/fields.ts';
import type { GatewayRequest, HeaderField } from '../request.ts';

/** Which header fields go upstream: the client's own without those that are ours to say, then ours. */

/** Hop-by-hop (RFC 9110 §7.6.1), the body's framing, the handshake's own, and what proxies say about clients. */
const OURS = new Set([
  ...['connection', 'keep-alive', 'te', 'trailer', 'transfer-encoding', 'upgrade', 'http2-settings'],
  ...['content-length', 'expect', 'host', 'forwarded', 'x-real-ip', 'x-request-id'],
]);
const OURS_BY_PREFIX = /^(?:proxy-|sec-websocket-|x-forwarded-)/;

/**
 * The client's end-to-end fields. Dropped besides hop-by-hop ones: fields that Connection nominates, and `identity`, the
 * names in lower case under which the upstream is told who the client is.
 */
export function endToEnd(headers: readonly HeaderField[], identity: readonly string[]): HeaderField[] {
  const dropped = nominated(headers);
  for (const name of identity) dropped.add(spelling(name));
  return headers.filter(([name]) => {
    const key = spelling(name.toLowerCase());
    return !OURS.has(key) && !dropped.has(key) && !OURS_BY_PREFIX.test(key);
  });
}

/** Servers that hand fields on as CGI variables take `x_user` for `x-user`. */
function spelling(name: string): string {
  return name.includes('_') ? name.replaceAll('_', '-') : name;
}

function nominated(headers: readonly HeaderField[]): Set<string> {
  const options = new Set<string>();
  for (const [name, value] of headers) {
    if (name.length !== 'connection'.length || name.toLowerCase() !== 'connection') continue;
    for (const option of value.toLowerCase().split(',')) options.add(spelling(option.trim()));
  }
  return options;
}

/**
 * One field per claim that is there, by `forward` (header: claim). Strings, numbers and booleans are written as they
 * are, lists of them with commas; objects, null and empty lists cannot be said in a field and are left out. Whatever does
 * not survive in a field, and `%` itself, is percent-encoded as UTF-8 (in lists the comma too), so that no two claims look alike:
 * upstreams read values with decodeURIComponent.
 */
export function claimFields(
  forward: Readonly<Record<string, string>>,
  claims: Readonly<Record<string, unknown>>,
) {
  return Object.entries(forward).flatMap(([name, claim]): HeaderField[] => {
    const value = writeClaim(claims[claim]);
    return value === undefined ? [] : [[name, value]];
  });
}

function writeClaim(claim: unknown): string | undefined {
  if (!Array.isArray(claim))
    return isPlain(claim) ? percentEncode(String(claim), /[^ -~]|%|^ | $/gu) : undefined;
  if (claim.length === 0 || !claim.every(isPlain)) return undefined;
  return claim.map((item) => percentEncode(String(item), /[^ -~]|[%,]|^ | $/gu)).join(',');
}

function isPlain(value: unknown): value is string | number | boolean {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
}

function percentEncode(text: string, unsafe: RegExp): string {
  return text.replace(unsafe, (character) =>
    Buffer.from(character).toString('hex').toUpperCase().replace(/../g, '%$&'),
  );
}

/** Who asks, from where and for what: X-Forwarded-*, Forwarded (RFC 7239) and X-Request-Id, all of them ours. */
export function forwardedFields(request: GatewayRequest): HeaderField[] {
  const { id, authority, clientAddress, peerAddress } = request;
  const proto = request.secure ? 'https' : 'http';
  const hops = clientAddress === peerAddress ? [clientAddress] : [clientAddress, peerAddress];
  const [client, ...proxies] = hops.map((address) => `for=${quoteNode(address)}`);
  return [
    ['x-forwarded-for', hops.join(', ')],
    ['x-forwarded-proto', proto],
    ['x-forwarded-host', authority],
    ['forwarded', [`${client};host=${quote(authority)};proto=${proto}`, ...proxies].join(', ')],
    ['x-request-id', id],
  ];
}

/** RFC 7239 §6: IPv6 in brackets, and then in quotes. */
function quoteNode(address: string): string {
  return isIPv6(address) ? `"[${address}]"` : address;
}

function quote(text: string): string {
  return isToken(text) ? text : `"${text}"`;
}
