import type { PlainClient } from './client.ts';
import { exchange, type Order, type Served, StaleConnection } from './exchange.ts';

/** One request on its way. */
export interface Carried extends Order {
  /** It needs a connection that nothing follows on. */
  readonly isOnce: boolean;
}

/** Carries a request over a connection of `client`, and over a second one if that may be done. Rejects as `exchange` does. */
export async function exchangeOver(client: PlainClient, carried: Carried): Promise<Served> {
  try {
    return await exchange(carried, carried.isOnce ? client.sendOnce : client.sendKept);
  } catch (error) {
    // RFC 9112 §9.3.1: a request that cannot have been acted on twice may be sent again, on a fresh connection.
    const isRepeated = error instanceof StaleConnection && isRepeatable(carried);
    if (!isRepeated) throw error;
    return await exchange(carried, client.sendOnce);
  }
}

/** Safe methods (RFC 9110 §9.2.1) without a body. */
function isRepeatable({ message: { method }, hasBody }: Carried): boolean {
  return !hasBody && (method === 'GET' || method === 'HEAD' || method === 'OPTIONS');
}
