import type { RouteConfig } from '../../config/schema.ts';
import type { Reach, Reached } from '../../upstream/reach.ts';
import { overhearing } from '../../upstream/starttls/index.ts';
import type { Bridge, Dial } from '../contract.ts';
import { leased } from '../leased.ts';
import { destinationOf } from './destination.ts';
import { framingFor } from './framing/index.ts';
import { protocolChooser } from './subprotocol.ts';
import { tunnel } from './tunnel.ts';
import type { TcpV1 } from './v1/index.ts';

/**
 * The bridge to a raw TCP service: who offers sallyport.tcp.v1 speaks that. For everybody else messages become a byte stream,
 * and the stream messages, as the route's framing says.
 */
export function createTcpDial(route: RouteConfig, reach: Reach, v1: TcpV1): Dial {
  const chooseProtocol = protocolChooser(route);
  const createFraming = framingFor(route.upstream);

  return async function dialTcp(request, signal) {
    if (v1.speaks(request.protocols)) return v1.dial(request, signal);
    const protocol = chooseProtocol(request);
    const reached = await reach(request, signal);
    return leased(bridge(reached, protocol), reached.release);
  };
  function bridge(reached: Reached, protocol: string | undefined): Bridge {
    const { socket: upstream } = reached;
    const framing = createFraming(protocol);
    const overhear = overhearing(route.upstream.tls?.starttls);
    return {
      ...destinationOf(reached),
      accept: { protocol },
      run: (client, clientHead, session) =>
        tunnel({ client, clientHead, upstream, overhear, framing }, session),
      abandon: () => upstream.destroy(),
    };
  }
}
