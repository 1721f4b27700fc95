import { type CapsuleTypes, CONNECT_TCP } from '../../../capsules/types.ts';
import type { HeaderField } from '../../../http/request.ts';
import type { Reached } from '../../../upstream/reach.ts';
import type { Overhear } from '../../../upstream/starttls/channel-binding.ts';
import type { Bridge } from '../../contract.ts';
import { destinationOf } from '../destination.ts';
import { capsuleTunnel } from './tunnel.ts';

/** RFC 9297 §3.4, and RFC 9209: whoever has answered is a proxy. */
const ANSWER: readonly HeaderField[] = [
  ['Capsule-Protocol', '?1'],
  ['Proxy-Status', 'sallyport'],
];

/** The bridge to a service for a client that speaks a version of connect-tcp, by its upgrade token: one of CONNECT_TCP. */
export function bridgeCapsules(reached: Reached, version: string, overhear?: Overhear): Bridge {
  const { socket } = reached;
  const types = CONNECT_TCP.get(version) as CapsuleTypes;
  return {
    ...destinationOf(reached),
    accept: { headers: ANSWER },
    run: (client, clientHead, session) =>
      capsuleTunnel({ client, clientHead, upstream: socket, overhear, types }, session),
    abandon: () => socket.destroy(),
  };
}
