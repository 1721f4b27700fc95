import type { Grant } from '../admission/grant.ts';
import { withoutToken } from '../admission/without-token.ts';
import type { CredentialConfig } from '../config/credentials.ts';
import type { RouteConfig } from '../config/schema.ts';
import { ticketParameters } from '../config/tickets.ts';
import type { UpstreamKind } from '../config/upstream-kinds.ts';
import { removeParameter } from '../http/query.ts';
import type { GatewayRequest, HeaderField, UpgradeRequest } from '../http/request.ts';
import type { Credentials, ProofSource } from './credentials.ts';
import { compileRequestFields } from './forward-fields.ts';

/** From a request that passed every check to what the upstream gets to see of it. */

/** A request that passed every check, with the token taken out; made by `admission/`. */
export interface AdmittedRequest extends UpgradeRequest {
  readonly grant: Grant;
  /** Segments captured by the route's `{name}`s, as sent. */
  readonly captures: Readonly<Record<string, string>>;
  /** Offered subprotocols that carry neither the token nor what stands where the gateway's own credentials go. */
  readonly protocols: readonly string[];
  /** Query without the token, and likewise; undefined if that was all of it. */
  readonly query: string | undefined;
  /**
   * End-to-end header fields for the upstream, as the route's `headers` wants them: hop-by-hop, handshake, forwarding
   * and token fields dropped, the client's own identity headers replaced by claims, X-Forwarded-*, Forwarded and
   * x-request-id set by us. Host is not among them: it may depend on the target.
   */
  readonly upstreamHeaders: readonly HeaderField[];
  /** What the gateway proves itself with; undefined where it does not. */
  readonly proof?: ProofSource;
}

/** What the upstream of one route gets to see. */
export interface Forward {
  /**
   * The request with the token taken out of its headers, query and subprotocols, unless the route forwards it; and with
   * nothing in its query and subprotocols that stands where the gateway's own credentials go.
   */
  withoutToken<R extends GatewayRequest & Partial<UpgradeRequest>>(request: R, grant: Grant): R;
  /** The header fields of a request without its token; neither Host nor a body's framing: these are for whoever sends it. */
  fields(bare: GatewayRequest, grant: Grant): HeaderField[];
  /** What the gateway proves itself with, for a client with this grant; undefined where it does not. */
  proof(grant: Grant): ProofSource | undefined;
  /** The upgrade as the bridges may use it. */
  admitted(request: UpgradeRequest, grant: Grant, captures: AdmittedRequest['captures']): AdmittedRequest;
}

/**
 * Compiles what the upstream of a route, of the kind that takes them, gets to see of the requests that have been let in.
 * `credentials` are the route's.
 */
export function compileForward(
  route: RouteConfig,
  kind: UpstreamKind | undefined,
  credentials?: Credentials,
): Forward {
  const fieldsOf = compileRequestFields(route, kind);
  const keepsToken = route.auth === 'none' || route.auth.forwardToken;
  const withoutRivals = compileRivals(route.upstream.credentials ?? [], ticketParameters(route.auth));
  const bareOf: Forward['withoutToken'] = (request, grant) =>
    withoutRivals(keepsToken ? request : withoutToken(request, grant));
  const fields: Forward['fields'] = (bare, { claims }) => fieldsOf(bare, claims);
  const proof: Forward['proof'] = (grant) => credentials?.proofFor(grant);
  return {
    withoutToken: bareOf,
    fields,
    proof,
    admitted(request, grant, captures) {
      const bare = bareOf(request, grant);
      return { ...bare, grant, captures, upstreamHeaders: fields(bare, grant), proof: proof(grant) };
    },
  };
}

/**
 * Compiles what takes out of a request what stands where these go, whether or not one of them is sent, and its tickets, which are
 * nobody's token; fields are left out later.
 */
function compileRivals(credentials: readonly CredentialConfig[], tickets: readonly string[]) {
  const parameters = [...tickets, ...credentials.flatMap(({ query }) => query ?? [])];
  const leads = credentials.flatMap(({ subprotocol }) => subprotocol ?? []);
  return function withoutRivals<R extends GatewayRequest & Partial<UpgradeRequest>>(request: R): R {
    if (parameters.length === 0 && leads.length === 0) return request;
    const query = parameters.reduce<string | undefined>(removeParameter, request.query);
    const protocols = request.protocols?.filter((item) => !leads.some((lead) => item.startsWith(lead)));
    return { ...request, query, ...(protocols && { protocols }) };
  };
}
