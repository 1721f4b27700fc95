import type { Credential, Grant } from '../admission/grant.ts';
import type { RouteConfig } from '../config/schema.ts';
import type { GatewayRequest, HeaderField, UpgradeRequest } from '../http/request.ts';
import { claimFields, endToEnd, forwardedFields } from './forward-fields.ts';

/** From a request that passed every check to what the upstream gets to see of it. */

/** A request that passed every check, with the token taken out; made by `admission/`. */
export interface AdmittedRequest extends UpgradeRequest {
  readonly grant: Grant;
  /** Segments captured by the route's `{name}`s, as sent. */
  readonly captures: Readonly<Record<string, string>>;
  /** Offered subprotocols that are not token carriers. */
  readonly protocols: readonly string[];
  /** Query without the token. */
  readonly query: string;
  /**
   * End-to-end header fields for the upstream: hop-by-hop, handshake, forwarding and token fields dropped, the
   * client's own identity headers replaced by claims, X-Forwarded-*, Forwarded and x-request-id set by us last. Host included.
   */
  readonly upstreamHeaders: readonly HeaderField[];
}

/** The upgrade as the bridges may use it: without the token unless the route forwards it, with the upstream's header fields. */
export function admitted(
  request: UpgradeRequest,
  grant: Grant,
  captures: Readonly<Record<string, string>>,
  route: RouteConfig,
): AdmittedRequest {
  const bare = withoutToken(request, grant, route);
  return { ...bare, grant, captures, upstreamHeaders: fieldsFor(bare, grant, route) };
}

/** The header fields an upstream gets, for an upgrade or a plain request; Host is the first. Never a body's framing: that is for whoever sends the body. */
export function upstreamHeaders(request: GatewayRequest, grant: Grant, route: RouteConfig): HeaderField[] {
  return fieldsFor(withoutToken(request, grant, route), grant, route);
}

function fieldsFor(request: GatewayRequest, grant: Grant, { auth }: RouteConfig): HeaderField[] {
  const forward = auth === 'none' ? {} : auth.forward;
  return [
    ['host', request.authority],
    ...endToEnd(request.headers, Object.keys(forward)),
    ...claimFields(forward, grant.claims),
    ...forwardedFields(request),
  ];
}

/** The request with the token taken out of its headers, query and subprotocols, unless the route forwards it. */
export function withoutToken<R extends GatewayRequest & Partial<UpgradeRequest>>(
  request: R,
  { credential, copies = [] }: Grant,
  { auth }: RouteConfig,
): R {
  if (credential === undefined || auth === 'none' || auth.forwardToken) return request;
  return [credential, ...copies].reduce<R>(removeCredential, request);
}

function removeCredential<R extends GatewayRequest & Partial<UpgradeRequest>>(
  request: R,
  credential: Credential,
): R {
  if (credential.from === 'query')
    return { ...request, query: removeParameter(request.query, credential.name) };
  const headers = request.headers.flatMap((field) => removeFromField(field, credential));
  if (credential.from !== 'subprotocol') return { ...request, headers };
  const protocols = request.protocols?.filter((protocol) => !credential.carriers.includes(protocol));
  return { ...request, headers, protocols };
}

function removeFromField(field: HeaderField, credential: Credential): HeaderField[] {
  const [name, value] = field;
  const key = name.toLowerCase();
  if (credential.from === 'header' && key === 'authorization') return [];
  // Its other items are in `protocols`, from which the bridges write their own.
  if (credential.from === 'subprotocol' && key === 'sec-websocket-protocol') return [];
  if (credential.from !== 'cookie' || key !== 'cookie') return [field];
  const rest = removeCookie(value, credential.name);
  return rest === '' ? [] : [[name, rest]];
}

/** A Cookie field without every cookie of that name; the others stay byte for byte (RFC 6265 §4.2.1). */
function removeCookie(value: string, name: string): string {
  const pairs = value.split(';');
  const kept = pairs.filter((pair) => pair.split('=', 1)[0]?.trim() !== name);
  return kept.length === pairs.length ? value : kept.join(';').trim();
}

/** A query without every parameter of that name, however it is escaped; the others stay byte for byte. */
function removeParameter(query: string, name: string): string {
  const isOther = (part: string) => !new URLSearchParams(part).has(name);
  return query.split('&').filter(isOther).join('&');
}
