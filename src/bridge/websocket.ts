import type { Socket } from 'node:net';
import type { RouteConfig } from '../config/schema.ts';
import { compileAnswerFields } from '../upstream/answer-fields.ts';
import { createPolicy } from '../upstream/balance/index.ts';
import { dial } from '../upstream/dial.ts';
import type { Endpoint } from '../upstream/endpoint.ts';
import type { AdmittedRequest } from '../upstream/forward.ts';
import { type Offer, type OpenedUpstream, openWebSocket } from '../upstream/handshake.ts';
import { compileHost } from '../upstream/host.ts';
import type { Pool } from '../upstream/pool.ts';
import { requestTarget } from '../upstream/target.ts';
import type { Bridge, Dial } from './contract.ts';
import { leased } from './leased.ts';
import { relay } from './relay.ts';

/** The bridge to an upstream that speaks WebSocket itself: the pool is one of `websocket`, or of `http`. */
export function createWebSocketDial(route: RouteConfig, pool: Pool): Dial {
  const { upstream } = route;
  const policy = createPolicy(upstream.balance ?? 'least-connections');
  const hostOf = compileHost(upstream.host);
  const answerFieldsFor = compileAnswerFields(upstream);

  return async function dialWebSocket(request, signal) {
    function join(socket: Socket, { target }: Endpoint, share: AbortSignal) {
      const host = hostOf(request, target);
      const answerFields = answerFieldsFor({ request, target, host, answer: 'handshake' });
      const path = requestTarget(target, request, route);
      return openWebSocket(socket, { ...offerOf(request, path, host), answerFields }, share);
    }
    const { value: opened, lease } = await dial(pool, { policy, asking: request, signal, join });
    const target = lease.endpoint.name;
    const bridge = bridgeTo({ ...opened, target }, nameable(request, opened.protocol));
    return leased(bridge, () => lease.release());
  };
}

function offerOf(request: AdmittedRequest, target: string, host: string): Offer {
  return {
    target,
    headers: [['Host', host], ...request.upstreamHeaders],
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
  { target, socket, head, deflate, fields }: OpenedUpstream & Pick<Bridge, 'target'>,
  protocol: string | undefined,
): Bridge {
  return {
    target,
    accept: { protocol, deflate, headers: fields },
    run: (client, clientHead, session) =>
      relay(
        { client, clientHead, upstream: socket, upstreamHead: head, deflate: deflate !== undefined },
        session,
      ),
    abandon: () => socket.destroy(),
  };
}
