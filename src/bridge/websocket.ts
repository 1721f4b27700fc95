import type { RouteConfig, UpstreamConfig } from '../config/schema.ts';
import type { HeaderField } from '../http/request.ts';
import { openSocket, trustOf } from '../upstream/connect.ts';
import type { AdmittedRequest } from '../upstream/forward.ts';
import { type OpenedUpstream, openWebSocket } from '../upstream/handshake.ts';
import { createDialler } from '../upstream/pool.ts';
import { parseWebSocketUrl, type WebSocketTarget, webSocketTargetOf } from '../upstream/target.ts';
import type { Bridge, Dial } from './contract.ts';
import { relay } from './relay.ts';

/** The bridge to an upstream that speaks WebSocket itself: `websocket`, or else `http`. Throws if the route's `ca` cannot be read. */
export function createWebSocketDial(route: RouteConfig): Dial {
  const trust = trustOf(route.upstream.tls);
  const targets = targetsOf(route.upstream);
  const dialTargets = createDialler(targets, route.timeouts.handshake);

  return async function dial(request, signal) {
    const opened = await dialTargets(signal, async (target, share) => {
      const { host, port, secure } = target;
      const socket = await openSocket({ host, port, ...(secure ? { tls: trust } : {}) }, share);
      const opened = await openWebSocket(socket, offerOf(request, target.targetFor(request)), share);
      return { ...opened, target: `${host}:${port}` };
    });
    return bridgeTo(opened, nameable(request, opened.protocol));
  };
}

function targetsOf({ websocket, http }: UpstreamConfig): WebSocketTarget[] {
  if (websocket) return websocket.map(parseWebSocketUrl);
  return http === undefined ? [] : [webSocketTargetOf(http)];
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
