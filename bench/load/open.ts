import { Connection, upgradeRequest } from './connection.ts';
import type { Order } from './load.ts';

/** How many handshakes are under way at a time. */
const AT_ONCE = 32;

/** Opens many connections, hands each to `opened` at once, and rejects as soon as one is refused. */
export async function openAll(
  { endpoint, token }: Order,
  count: number,
  opened: (connection: Connection) => void = () => undefined,
): Promise<Connection[]> {
  const request = upgradeRequest(endpoint, token);
  const open: Connection[] = [];
  let started = 0;
  async function openNext(): Promise<void> {
    while (started++ < count) {
      const connection = await Connection.open(endpoint, request);
      opened(connection);
      open.push(connection);
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, openNext));
  return open;
}
