import type { Endpoint } from '../upstream/endpoint.ts';
import type { Connector, EndpointClient } from '../upstream/http-pool.ts';
import { Connections } from './connections.ts';
import { createSender, type Parcel } from './library.ts';

/** Plain HTTP to one endpoint. */
export interface PlainClient extends EndpointClient {
  /** Over a connection that may have carried others, and will again. */
  readonly sendKept: (parcel: Parcel) => void;
  /** Over a connection of its own. */
  readonly sendOnce: (parcel: Parcel) => void;
}

/** Opens the client of one endpoint. Nothing queues in it: the route's limits say how many requests there may be. */
export function openPlainClient({ target, address }: Endpoint, connect: Connector): PlainClient {
  const kept = new Connections(connect, true);
  const once = new Connections(connect, false);
  const where = { host: address, port: target.port };
  return {
    sendKept: createSender(where, kept),
    sendOnce: createSender(where, once),
    isIdle: () => kept.hasIdle,
    close() {
      kept.close();
      once.close();
    },
  };
}
