import type { Socket } from 'node:net';
import type { ChosenTarget } from '../errors.ts';
import { createPolicy } from './balance/index.ts';
import type { Policy } from './balance/policy.ts';
import { dial } from './dial.ts';
import type { AdmittedRequest } from './forward.ts';
import { introduce } from './introduction.ts';
import type { Pool } from './pool.ts';

/** A service of one upgrade, connected. */
export interface Reached {
  readonly socket: Socket;
  /** The upstream as logs name it: as it was dialled. */
  readonly name: string;
  /** What metrics count its bytes under: one of a closed set. */
  readonly label: string;
  /** `host:port` as the client has named it. Absent: the configuration names the service. */
  readonly asked?: string | undefined;
  /** Claims that have named it: a client that shows a new token must say the same. */
  readonly namedBy?: readonly string[] | undefined;
  /** What was chosen, where clients choose: for the log. */
  readonly chosen?: ChosenTarget | undefined;
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
    const { name, target } = lease.endpoint;
    return { socket, name, label: target.name, release: () => lease.release() };
  };
}
