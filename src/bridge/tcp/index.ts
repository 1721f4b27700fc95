import type { RouteConfig } from '../../config/schema.ts';
import type { Reach, Reached } from '../../upstream/reach.ts';
import type { Bridge, Dial } from '../contract.ts';
import { leased } from '../leased.ts';
import { bridgeCapsules } from './connect-tcp/index.ts';
import { destinationOf } from './destination.ts';
import type { Framing } from './framing/contract.ts';
import { framingFor } from './framing/index.ts';
import { protocolChooser } from './subprotocol.ts';
import { tunnel } from './tunnel.ts';
import type { TcpV1 } from './v1/index.ts';

/**
 * The bridge to a raw TCP service: who offers sallyport.tcp.v1 or asks for connect-tcp speaks that. For everybody else messages
 * become a byte stream, and the stream messages, as the route's framing says.
 */
export function createTcpDial(route: RouteConfig, reach: Reach, v1: TcpV1): Dial {
  const chooseProtocol = protocolChooser(route);
  const createFraming = framingFor(route.upstream);

  return async function dialTcp(request, signal) {
    if (v1.speaks(request.protocols)) return v1.dial(request, signal);
    const { connectTcp } = request;
    const protocol = connectTcp === undefined ? chooseProtocol(request) : undefined;
    const reached = await reach(request, signal);
    if (connectTcp !== undefined) return leased(bridgeCapsules(reached, connectTcp), reached.release);
    return leased(bridgeTo(reached, protocol, createFraming(protocol)), reached.release);
  };
}

function bridgeTo(reached: Reached, protocol: string | undefined, framing: Framing): Bridge {
  const { socket } = reached;
  return {
    ...destinationOf(reached),
    accept: { protocol },
    run: (client, clientHead, session) => tunnel({ client, clientHead, upstream: socket, framing }, session),
    abandon: () => socket.destroy(),
  };
}
