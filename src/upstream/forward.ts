import type { Credential, Grant } from '../admission/grant.ts';
import type { RouteConfig } from '../config/schema.ts';
import type { UpstreamKind } from '../config/upstream-kinds.ts';
import { cgiSpelling } from '../http/header-classes.ts';
import { removeParameter } from '../http/query.ts';
import type { GatewayRequest, HeaderField, UpgradeRequest } from '../http/request.ts';
import { compileRequestFields } from './forward-fields.ts';

/** From a request that passed every check to what the upstream gets to see of it. */

/** A request that passed every check, with the token taken out; made by `admission/`. */
export interface AdmittedRequest extends UpgradeRequest {
  readonly grant: Grant;
  /** Segments captured by the route's `{name}`s, as sent. */
  readonly captures: Readonly<Record<string, string>>;
  /** Offered subprotocols that are not token carriers. */
  readonly protocols: readonly string[];
  /** Query without the token; undefined if that was all of it. */
  readonly query: string | undefined;
  /**
   * End-to-end header fields for the upstream, as the route's `headers` wants them: hop-by-hop, handshake, forwarding
   * and token fields dropped, the client's own identity headers replaced by claims, X-Forwarded-*, Forwarded and
   * x-request-id set by us. Host is not among them: it may depend on the target.
   */
  readonly upstreamHeaders: readonly HeaderField[];
}

/** What the upstream of one route gets to see. */
export interface Forward {
  /** The request with the token taken out of its headers, query and subprotocols, unless the route forwards it. */
  withoutToken<R extends GatewayRequest & Partial<UpgradeRequest>>(request: R, grant: Grant): R;
  /** The header fields of a request without its token; neither Host nor a body's framing: these are for whoever sends it. */
  fields(bare: GatewayRequest, grant: Grant): HeaderField[];
  /** The upgrade as the bridges may use it. */
  admitted(request: UpgradeRequest, grant: Grant, captures: AdmittedRequest['captures']): AdmittedRequest;
}

/** Compiles what the upstream of a route, of the kind that takes them, gets to see of the requests that have been let in. */
export function compileForward(route: RouteConfig, kind: UpstreamKind | undefined): Forward {
  const fieldsOf = compileRequestFields(route, kind);
  const keepsToken = route.auth === 'none' || route.auth.forwardToken;
  const bareOf: Forward['withoutToken'] = (request, grant) =>
    keepsToken ? request : withoutToken(request, grant);
  const fields: Forward['fields'] = (bare, { claims }) => fieldsOf(bare, claims);
  return {
    withoutToken: bareOf,
    fields,
    admitted(request, grant, captures) {
      const bare = bareOf(request, grant);
      return { ...bare, grant, captures, upstreamHeaders: fields(bare, grant) };
    },
  };
}

function withoutToken<R extends GatewayRequest & Partial<UpgradeRequest>>(
  request: R,
  { credential, copies = [] }: Grant,
): R {
  if (credential === undefined) return request;
  return [credential, ...copies].reduce<R>(removeCredential, request);
}

function removeCredential<R extends GatewayRequest & Partial<UpgradeRequest>>(
  request: R,
  credential: Credential,
): R {
  if (credential.from === 'query')
    return { ...request, query: removeParameter(request.query, credential.name) };
  const headers: HeaderField[] = [];
  for (const field of request.headers) {
    const rest = removeFromField(field, credential);
    if (rest !== undefined) headers.push(rest);
  }
  if (credential.from !== 'subprotocol') return { ...request, headers };
  const protocols = request.protocols?.filter((protocol) => !credential.carriers.includes(protocol));
  return { ...request, headers, protocols };
}

/** Undefined if nothing of the field is left. */
function removeFromField(field: HeaderField, credential: Credential): HeaderField | undefined {
  const [name, value] = field;
  const key = name.toLowerCase();
  if (credential.from === 'header' && cgiSpelling(key) === cgiSpelling(credential.name)) return undefined;
  // Its other items are in `protocols`, from which the bridges write their own.
  if (credential.from === 'subprotocol' && key === 'sec-websocket-protocol') return undefined;
  if (credential.from !== 'cookie' || key !== 'cookie') return field;
  const rest = removeCookie(value, credential.name);
  return rest === '' ? undefined : [name, rest];
}

/** A Cookie field without every cookie of that name; the others stay byte for byte (RFC 6265 §4.2.1). */
function removeCookie(value: string, name: string): string {
  const pairs = value.split(';');
  const kept = pairs.filter((pair) => pair.split('=', 1)[0]?.trim() !== name);
  return kept.length === pairs.length ? value : kept.join(';').trim();
}
