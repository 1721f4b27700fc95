import { once } from 'node:events';
import type { AddressInfo, Server } from 'node:net';

/** A sample service in this process, on a free loopback port. */
export interface Service {
  readonly port: number;
  /** Stops listening and drops whoever is connected. */
  close(): Promise<void>;
}

/** Binds `server` to a free loopback port and returns that port. */
export async function listenOnLoopback(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}
