import type { Socket } from 'node:net';
import { createPolicy } from './balance/index.ts';
import type { Policy } from './balance/policy.ts';
import { dial } from './dial.ts';
import type { AdmittedRequest } from './forward.ts';
import { introduce } from './introduction.ts';
import type { Pool } from './pool.ts';

/** A service of one upgrade, connected. */
export interface Reached {
  readonly socket: Socket;
  /** The upstream as logs and metrics name it. */
  readonly name: string;
  /** `host:port` as the client has named it. Absent: the configuration names the service. */
  readonly asked?: string | undefined;
  /** Claims that have named it: a client that shows a new token must say the same. */
  readonly namedBy?: readonly string[] | undefined;
  /** The session with it is over. Call it once. */
  release(): void;
}

/** Finds the TCP service that an upgrade is for, and connects to it. Rejects with a GatewayError. */
export type Reach = (request: AdmittedRequest, signal: AbortSignal) => Promise<Reached>;

/** The way to services that the configuration names. */
export function reachPool(pool: Pool, balance: Parameters<typeof createPolicy>[0] | undefined): Reach {
  const policy: Policy = createPolicy(balance ?? 'least-connections');
  return async function reach(asking, signal) {
    const join = (socket: Socket) => socket;
    const opening = { client: () => introduce(asking) };
    const { value: socket, lease } = await dial(pool, { policy, asking, signal, join, opening });
    return { socket, name: lease.endpoint.name, release: () => lease.release() };
  };
}
