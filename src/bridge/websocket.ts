import type { Socket } from 'node:net';
import type { RouteConfig } from '../config/schema.ts';
import type { HeaderField } from '../http/request.ts';
import { createPolicy } from '../upstream/balance/index.ts';
import { dial } from '../upstream/dial.ts';
import type { Endpoint } from '../upstream/endpoint.ts';
import type { AdmittedRequest } from '../upstream/forward.ts';
import { type OpenedUpstream, openWebSocket } from '../upstream/handshake.ts';
import type { Pool } from '../upstream/pool.ts';
import { requestTarget } from '../upstream/target.ts';
import type { Bridge, Dial } from './contract.ts';
import { leased } from './leased.ts';
import { relay } from './relay.ts';

/** The bridge to an upstream that speaks WebSocket itself: the pool is one of `websocket`, or of `http`. */
export function createWebSocketDial(route: RouteConfig, pool: Pool): Dial {
  const policy = createPolicy(route.upstream.balance ?? 'least-connections');

  return async function dialWebSocket(request, signal) {
    const join = (socket: Socket, { target }: Endpoint, share: AbortSignal) =>
      openWebSocket(socket, offerOf(request, requestTarget(target, request, route)), share);
    const { value: opened, lease } = await dial(pool, { policy, asking: request, signal, join });
    const target = lease.endpoint.name;
    const bridge = bridgeTo({ ...opened, target }, nameable(request, opened.protocol));
    return leased(bridge, () => lease.release());
  };
}

function offerOf(request: AdmittedRequest, target: string) {
  return {
    target,
    headers: request.upstreamHeaders,
    protocols: request.protocols,
    deflate: request.deflateOffer,
  };
}

/**
 * What the 101 may name of the upstream's choice. Many upstreams take the first protocol offered; where the route
 * forwards the token, that may be the one which carries it.
 */
function nameable({ grant }: AdmittedRequest, chosen: string | undefined): string | undefined {
  const credentials = [grant.credential, ...(grant.copies ?? [])];
  const isCarrier = credentials.some(
    (credential) => credential?.from === 'subprotocol' && credential.carriers.includes(chosen ?? ''),
  );
  return isCarrier ? undefined : chosen;
}

function bridgeTo(
  { target, socket, head, deflate, setCookies }: OpenedUpstream & Pick<Bridge, 'target'>,
  protocol: string | undefined,
): Bridge {
  // A sticky load balancer behind us names its choice in a cookie on the 101; nothing else of the upstream's is reflected.
  const headers = setCookies.map((cookie): HeaderField => ['Set-Cookie', cookie]);
  return {
    target,
    accept: { protocol, deflate, headers },
    run: (client, clientHead, session) =>
      relay(
        { client, clientHead, upstream: socket, upstreamHead: head, deflate: deflate !== undefined },
        session,
      ),
    abandon: () => socket.destroy(),
  };
}
