import type { RouteConfig } from '../../config/schema.ts';
import type { AdmittedRequest } from '../../upstream/forward.ts';
import type { Reach, Reached } from '../../upstream/reach.ts';
import type { Bridge, Dial } from '../contract.ts';
import { leased } from '../leased.ts';
import { destinationOf } from './destination.ts';
import { tunnel } from './tunnel.ts';
import type { TcpV1 } from './v1/index.ts';

/**
 * The bridge to a raw TCP service: who offers sallyport.tcp.v1 speaks that. For everybody else messages become a byte stream,
 * and each read from it one binary message.
 */
export function createTcpDial({ upstream }: RouteConfig, reach: Reach, v1: TcpV1): Dial {
  const protocols = ['binary', ...(upstream.protocols ?? [])];
  const text = upstream.text ?? false;

  return async function dialTcp(request, signal) {
    if (v1.speaks(request.protocols)) return v1.dial(request, signal);
    const reached = await reach(request, signal);
    return leased(bridgeTo(reached, chooseProtocol(request, protocols), text), reached.release);
  };
}

/** The first one offered that the route knows; none is a legal answer too (RFC 6455 §4.2.2). */
function chooseProtocol(request: AdmittedRequest, known: readonly string[]): string | undefined {
  return request.protocols.find((protocol) => known.includes(protocol));
}

function bridgeTo(reached: Reached, protocol: string | undefined, text: boolean): Bridge {
  const { socket } = reached;
  return {
    ...destinationOf(reached),
    accept: { protocol },
    run: (client, clientHead, session) => tunnel({ client, clientHead, upstream: socket, text }, session),
    abandon: () => socket.destroy(),
  };
}
