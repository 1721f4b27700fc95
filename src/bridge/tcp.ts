import type { Socket } from 'node:net';
import type { RouteConfig } from '../config/schema.ts';
import { openSocket } from '../upstream/connect.ts';
import type { AdmittedRequest } from '../upstream/forward.ts';
import { createDialler } from '../upstream/pool.ts';
import type { Bridge, Dial } from './contract.ts';
import { tunnel } from './tunnel.ts';

/** The bridge to a raw TCP service: messages become a byte stream, and each read from it one binary message. */
export function createTcpDial(route: RouteConfig): Dial {
  const targets = route.upstream.tcp ?? [];
  const dialTargets = createDialler(targets, route.timeouts.handshake);
  const protocols = ['binary', ...(route.upstream.protocols ?? [])];
  const text = route.upstream.text ?? false;

  return async function dial(request, signal) {
    const { socket, target } = await dialTargets(signal, async (endpoint, share) => ({
      socket: await openSocket(endpoint, share),
      target: `${endpoint.host}:${endpoint.port}`,
    }));
    return bridgeTo(socket, target, chooseProtocol(request, protocols), text);
  };
}

/** The first one offered that the route knows; none is a legal answer too (RFC 6455 §4.2.2). */
function chooseProtocol(request: AdmittedRequest, known: readonly string[]): string | undefined {
  return request.protocols.find((protocol) => known.includes(protocol));
}

function bridgeTo(socket: Socket, target: string, protocol: string | undefined, text: boolean): Bridge {
  return {
    target,
    accept: { protocol },
    run: (client, clientHead, session) => tunnel({ client, clientHead, upstream: socket, text }, session),
    abandon: () => socket.destroy(),
  };
}
