import { Agent, type AgentOptions } from 'node:http';
import type { Endpoint } from '../upstream/endpoint.ts';
import type { Connector, EndpointClient } from '../upstream/http-pool.ts';
import { createSender, type Parcel } from './library.ts';

/** Plain HTTP to one endpoint. */
export interface PlainClient extends EndpointClient {
  /** Over a connection that may have carried others, and will again. */
  readonly sendKept: (parcel: Parcel) => void;
  /** Over a connection of its own. */
  readonly sendOnce: (parcel: Parcel) => void;
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
  const where = { host: address, port: target.port };
  return {
    sendKept: createSender(where, kept),
    sendOnce: createSender(where, once),
    isIdle: () => hasIdle(kept),
    close() {
      kept.destroy();
      once.destroy();
    },
  };
}

function hasIdle({ freeSockets }: Agent): boolean {
  for (const name in freeSockets) {
    if (freeSockets[name]?.some(({ destroyed }) => !destroyed)) return true;
  }
  return false;
}

/** An agent whose connections come from `connect`, with TLS where the target has it. */
function createAgent(connect: Connector, options: AgentOptions): Agent {
  type Callback = (error: Error | null, socket?: unknown) => void;
  // Node would work out a server name for each request, and a key for its connections from some twenty options.
  const agent = new Agent({ ...options, servername: '' } as AgentOptions) as Agent & {
    createConnection: unknown;
    getName: unknown;
  };
  agent.getName = () => '';
  agent.createConnection = function createConnection(_options: unknown, callback: Callback): undefined {
    connect().then((socket) => callback(null, socket), callback);
  };
  return agent;
}
