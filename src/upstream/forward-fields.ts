import { type Claims, claimReader } from '../admission/claims.ts';
import type { RouteConfig } from '../config/schema.ts';
import type { UpstreamKind } from '../config/upstream-kinds.ts';
import { isToken } from '../http/fields.ts';
import { cgiSpelling, type HeaderClass, headerClass, nominatedFields } from '../http/header-classes.ts';
import type { GatewayRequest, HeaderField } from '../http/request.ts';

/** Which header fields go upstream: the client's own without those that are ours to say, then ours, then the operator's. */

/** The fields of one request, Host and those of its framing not among them. The request comes without its token. */
export type RequestFields = (request: GatewayRequest, claims: Claims) => HeaderField[];

/**
 * Compiles which fields a route's upstream of a kind gets. Of the client's own these are dropped: hop-by-hop ones, the body's
 * framing, the handshake's own, what Connection nominates, the names under which the upstream is told who the client
 * is, and those of the gateway's own credentials. What proxies say of clients passes from a trusted one only. The operator's word is the last.
 */
export function compileRequestFields(
  { auth, upstream }: RouteConfig,
  kind: UpstreamKind | undefined,
): RequestFields {
  const forward = auth === 'none' ? [] : Object.entries(auth.forward);
  const claimFields = forward.map(([name, claim]): ClaimField => ({ name, read: claimReader(claim) }));
  const set = Object.entries(upstream.headers?.set ?? {});
  const changed = new Set(
    [...set.map(([name]) => name), ...(upstream.headers?.remove ?? [])].map(cgiSpelling),
  );
  const credentials = (upstream.credentials ?? []).flatMap(({ header }) => header ?? []);
  const dropped = new Set([
    ...changed,
    ...[...forward.map(([name]) => name), ...credentials].map(cgiSpelling),
  ]);
  const { stripPrefix = '' } = upstream;
  const prefix = kind === 'http' ? stripPrefix : '';

  return function fieldsOf(request, claims) {
    const fields = endToEnd(request, dropped);
    const own = fields.length;
    addClaims(fields, claimFields, claims);
    addForwarded(fields, request, prefix);
    return changed.size === 0 ? fields : [...withoutChanged(fields, own, changed), ...set];
  };
}

/** The client's end-to-end fields, as sent; those of `dropped` (lower case, CGI spelling) are left out. */
function endToEnd({ headers, isPeerTrusted }: GatewayRequest, dropped: ReadonlySet<string>): HeaderField[] {
  const nominated = nominatedFields(headers);
  const fields: HeaderField[] = [];
  for (const field of headers) {
    const name = cgiSpelling(field[0].toLowerCase());
    const kind = headerClass(name);
    if (kind !== undefined && !(isPeerTrusted && isProxysWord(name, kind))) continue;
    if (dropped.has(name) || nominated.has(name)) continue;
    fields.push(field);
  }
  return fields;
}

/** Made by us from what the proxy says, in one field each. */
const OURS = new Set([
  'host',
  'forwarded',
  'x-forwarded-for',
  'x-forwarded-proto',
  'x-forwarded-host',
  'x-forwarded-prefix',
  'x-request-id',
]);

function isProxysWord(name: string, kind: HeaderClass): boolean {
  return kind === 'identity' || (kind === 'forwarding' && !OURS.has(name));
}

function withoutChanged(
  fields: readonly HeaderField[],
  from: number,
  changed: ReadonlySet<string>,
): HeaderField[] {
  return fields.filter(([name], index) => index < from || !changed.has(cgiSpelling(name)));
}

/** A header and the claim it carries. */
interface ClaimField {
  readonly name: string;
  readonly read: (claims: Claims) => unknown;
}

/** One field per claim that is there and can be said in one. */
function addClaims(fields: HeaderField[], forward: readonly ClaimField[], claims: Claims): void {
  for (const { name, read } of forward) {
    const value = fieldText(read(claims));
    if (value !== undefined) fields.push([name, value]);
  }
}

/**
 * A claim as the value of a field. Strings, numbers and booleans are written as they are, lists of them with commas; undefined
 * for objects, null and empty lists, which cannot be said in a field. Whatever does not survive in a field, and `%` itself, is
 * percent-encoded as UTF-8 (in lists the comma too), so that no two claims look alike: upstreams read values with
 * decodeURIComponent.
 */
export function fieldText(claim: unknown): string | undefined {
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

/**
 * Who asks, from where and for what: X-Forwarded-*, Forwarded (RFC 7239) and X-Request-Id. `prefix` is what is left out
 * at the beginning of paths.
 */
function addForwarded(fields: HeaderField[], request: GatewayRequest, prefix: string): void {
  const { id, clientAuthority, clientAddress, peerAddress } = request;
  const proto = request.secure ? 'https' : 'http';
  const isDirect = clientAddress === peerAddress;
  const outerPrefix = forwardedPrefix(request);
  const client = `for=${quoteNode(clientAddress)};host=${quote(clientAuthority)};proto=${proto}`;
  fields.push(
    ['x-forwarded-for', isDirect ? clientAddress : `${clientAddress}, ${peerAddress}`],
    ['x-forwarded-proto', proto],
    ['x-forwarded-host', proxysWord(request, 'x-forwarded-host') ?? clientAuthority],
  );
  if (outerPrefix + prefix !== '') fields.push(['x-forwarded-prefix', outerPrefix + prefix]);
  fields.push(
    ['forwarded', isDirect ? client : `${client}, for=${quoteNode(peerAddress)}`],
    ['x-request-id', id],
  );
}

/** The prefix that a trusted proxy has left out, without a slash at its end; empty if there is none. */
export function forwardedPrefix(request: GatewayRequest): string {
  return proxysWord(request, 'x-forwarded-prefix')?.replace(/\/$/, '') ?? '';
}

/** The values a trusted proxy has sent under a name, as one list. */
function proxysWord({ headers, isPeerTrusted }: GatewayRequest, name: string): string | undefined {
  if (!isPeerTrusted) return undefined;
  let list: string | undefined;
  for (const [key, value] of headers) {
    if (key.length !== name.length || key.toLowerCase() !== name) continue;
    list = list === undefined ? value : `${list}, ${value}`;
  }
  return list;
}

/** RFC 7239 §6: IPv6 in brackets, and then in quotes. */
function quoteNode(address: string): string {
  return address.includes(':') ? `"[${address}]"` : address;
}

function quote(text: string): string {
  return isToken(text) ? text : `"${text}"`;
}
