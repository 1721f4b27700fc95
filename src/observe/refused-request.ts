import type { Grant } from '../admission/grant.ts';
import { normaliseAddress } from '../http/address.ts';
import type { ConnectionInfo } from '../http/parse.ts';
import type { GatewayRequest, RequestKind } from '../http/request.ts';
import type { RefusedRequest } from './index.ts';
import { userAgentOf } from './user-agent.ts';

/** What was known of a request when it was refused; before it could be parsed, its connection alone. */
export interface Known {
  readonly request?: GatewayRequest | undefined;
  readonly route?: { readonly name: string } | undefined;
  readonly grant?: Pick<Grant, 'subject' | 'issuer'> | undefined;
  /** Its 101 was out already. */
  readonly isOpen?: boolean | undefined;
  /** The endpoint that was ready for it. */
  readonly target?: string | undefined;
}

/** What observers are told of a refusal. */
export function refusedRequest(kind: RequestKind, connection: ConnectionInfo, known: Known): RefusedRequest {
  const { request, route, grant, target, isOpen } = known;
  const { id, tls } = connection;
  // One spelling in all lines: over a socket of both families IPv4 addresses come mapped.
  const peerAddress = normaliseAddress(connection.peerAddress ?? '') ?? '';
  const reached = { kind, peerAddress, tls: tls?.version, cipher: tls?.cipher };
  if (request === undefined) return { id, ...reached };
  const { method, clientAddress, host, path, origin, headers } = request;
  return {
    id: request.id,
    ...reached,
    isOpen,
    clientAddress,
    userAgent: userAgentOf(headers),
    method,
    host,
    path,
    origin,
    route: route?.name,
    target,
    subject: grant?.subject,
    issuer: grant?.issuer,
  };
}
