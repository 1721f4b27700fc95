import type { Socket } from 'node:net';
import type { RouteConfig } from '../config/schema.ts';
import { createPolicy } from '../upstream/balance/index.ts';
import { dial } from '../upstream/dial.ts';
import type { AdmittedRequest } from '../upstream/forward.ts';
import type { Pool } from '../upstream/pool.ts';
import type { Bridge, Dial } from './contract.ts';
import { leased } from './leased.ts';
import { tunnel } from './tunnel.ts';

/** The bridge to a raw TCP service: messages become a byte stream, and each read from it one binary message. */
export function createTcpDial({ upstream }: RouteConfig, pool: Pool): Dial {
  const policy = createPolicy(upstream.balance ?? 'least-connections');
  const protocols = ['binary', ...(upstream.protocols ?? [])];
  const text = upstream.text ?? false;

  return async function dialTcp(request, signal) {
    const join = (socket: Socket) => socket;
    const { value: socket, lease } = await dial(pool, { policy, asking: request, signal, join });
    const bridge = bridgeTo(socket, lease.endpoint.name, chooseProtocol(request, protocols), text);
    return leased(bridge, () => lease.release());
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
