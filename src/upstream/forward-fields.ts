import { isIPv6 } from 'node:net';
import { isToken } from '../http/fields.ts';
import { cgiSpelling, headerClass, nominatedFields } from '../http/header-classes.ts';
import type { GatewayRequest, HeaderField } from '../http/request.ts';

/** Which header fields go upstream: the client's own without those that are ours to say, then ours. */

/**
 * The client's end-to-end fields. Dropped besides hop-by-hop ones, the body's framing, the handshake's own and what
 * proxies say about clients: fields that Connection nominates, and `identity`, the names in lower case under which the
 * upstream is told who the client is.
 */
export function endToEnd(headers: readonly HeaderField[], identity: readonly string[]): HeaderField[] {
  const dropped = nominatedFields(headers);
  for (const name of identity) dropped.add(cgiSpelling(name));
  return headers.filter(([name]) => {
    const key = cgiSpelling(name.toLowerCase());
    return headerClass(key) === undefined && !dropped.has(key);
  });
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
