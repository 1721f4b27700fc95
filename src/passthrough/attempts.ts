import type { PlainClient } from './client.ts';
import { exchange, type Order, type Served, StaleConnection } from './exchange.ts';

/** One request on its way. */
export interface Carried extends Omit<Order, 'send'> {
  /** It needs a connection that nothing follows on. */
  readonly isOnce: boolean;
}

/** Carries a request over a connection of `client`, and over a second one if that may be done. Rejects as `exchange` does. */
export async function exchangeOver(client: PlainClient, carried: Carried): Promise<Served> {
  const { kept, once } = client.agents;
  try {
    return await exchangeBy(carried.isOnce ? once : kept, client, carried);
  } catch (error) {
    // RFC 9112 §9.3.1: a request that cannot have been acted on twice may be sent again, on a fresh connection.
    const isRepeated = error instanceof StaleConnection && isRepeatable(carried);
    if (!isRepeated) throw error;
    return await exchangeBy(once, client, carried);
  }
}

function exchangeBy(
  agent: PlainClient['agents']['kept'],
  client: PlainClient,
  order: Carried,
): Promise<Served> {
  return exchange({ ...order, send: (parcel) => client.send({ ...parcel, agent }) });
}

/** Safe methods (RFC 9110 §9.2.1) without a body. */
function isRepeatable({ message: { method }, hasBody }: Carried): boolean {
  return !hasBody && (method === 'GET' || method === 'HEAD' || method === 'OPTIONS');
}
