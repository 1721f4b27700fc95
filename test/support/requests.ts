import type { Grant } from '../../src/admission/grant.ts';
import type { GatewayRequest, UpgradeRequest } from '../../src/http/request.ts';

/** A request as the listener makes it, with what a test is about changed. With `protocols` it is an upgrade. */
export function requestOf(changes: Partial<UpgradeRequest> = {}): GatewayRequest {
  return {
    id: 'r1',
    connectionId: 'c1',
    method: 'GET',
    peerAddress: '127.0.0.1',
    clientAddress: '127.0.0.1',
    secure: true,
    isPeerTrusted: false,
    authority: 'app.test',
    clientAuthority: 'app.test',
    host: 'app.test',
    path: '/',
    query: undefined,
    origin: undefined,
    headers: [],
    ...changes,
  };
}

/** A grant before any check. */
export function emptyGrant(): Grant {
  return { claims: {}, releases: [] };
}
