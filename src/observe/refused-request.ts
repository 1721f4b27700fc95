import type { Grant } from '../admission/grant.ts';
import type { ConnectionInfo } from '../http/parse.ts';
import type { GatewayRequest, RequestKind } from '../http/request.ts';
import type { RefusedRequest } from './index.ts';

/** What was known of a request when it was refused; before it could be parsed, its connection alone. */
export interface Known {
  readonly request?: GatewayRequest | undefined;
  readonly route?: { readonly name: string } | undefined;
  readonly grant?: Pick<Grant, 'subject' | 'issuer'> | undefined;
  /** The endpoint that was ready for it. */
  readonly target?: string | undefined;
}

/** What observers are told of a refusal. */
export function refusedRequest(kind: RequestKind, connection: ConnectionInfo, known: Known): RefusedRequest {
  const { request, route, grant, target } = known;
  const { id, peerAddress = '', tls } = connection;
  if (request === undefined) return { id, kind, peerAddress, tls };
  const { method, clientAddress, host, path, origin, headers } = request;
  return {
    id: request.id,
    kind,
    peerAddress,
    clientAddress,
    tls,
    method,
    host,
    path,
    origin,
    headers,
    route: route?.name,
    target,
    subject: grant?.subject,
    issuer: grant?.issuer,
  };
}
