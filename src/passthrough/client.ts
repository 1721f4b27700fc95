import { Agent, type AgentOptions } from 'node:http';
import type { Endpoint } from '../upstream/endpoint.ts';
import type { Connector, EndpointClient } from '../upstream/http-pool.ts';
import { createSender, type Parcel } from './library.ts';

/** Plain HTTP to one endpoint. */
export interface PlainClient extends EndpointClient {
  /** `kept` reuses connections, `once` gives every request its own. */
  readonly agents: { readonly kept: Agent; readonly once: Agent };
  readonly send: (parcel: Parcel) => void;
}

/** Idle connections kept for later requests. */
const MAX_IDLE = 64;
/** Less than what servers commonly wait before they close an idle connection: 5 s in Node, more elsewhere. */
const KEEP_IDLE_MS = 4_000;

/** Opens the client of one endpoint. Nothing queues in it: the route's limits say how many requests there may be. */
export function openPlainClient({ target, address }: Endpoint, connect: Connector): PlainClient {
  const keepAlive = { keepAlive: true, timeout: KEEP_IDLE_MS, maxFreeSockets: MAX_IDLE };
  const kept = createAgent(connect, keepAlive);
  const once = createAgent(connect, { keepAlive: false });
  return {
    agents: { kept, once },
    send: createSender({ host: address, port: target.port }),
    isIdle: () =>
      Object.values(kept.freeSockets).some((sockets) => sockets?.some(({ destroyed }) => !destroyed)),
    close() {
      kept.destroy();
      once.destroy();
    },
  };
}

/** An agent whose connections come from `connect`, with TLS where the target has it. */
function createAgent(connect: Connector, options: AgentOptions): Agent {
  type Callback = (error: Error | null, socket?: unknown) => void;
  const agent = new Agent(options) as Agent & { createConnection: unknown };
  agent.createConnection = function createConnection(_options: unknown, callback: Callback): undefined {
    connect().then((socket) => callback(null, socket), callback);
  };
  return agent;
}
