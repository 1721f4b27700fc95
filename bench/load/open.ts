import { Connection, upgradeRequest } from './connection.ts';
import type { Order } from './load.ts';

/** How many handshakes are under way at a time. */
const AT_ONCE = 32;

/** Opens many connections; rejects as soon as one is refused. */
export async function openAll({ endpoint, token }: Order, count: number): Promise<Connection[]> {
  const request = upgradeRequest(endpoint, token);
  const open: Connection[] = [];
  let started = 0;
  async function openNext(): Promise<void> {
    while (started++ < count) open.push(await Connection.open(endpoint, request));
  }
  await Promise.all(Array.from({ length: AT_ONCE }, openNext));
  return open;
}
