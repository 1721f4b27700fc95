import type { Grant } from '../admission/grant.ts';
import { GatewayError } from '../errors.ts';
import type { GatewayRequest } from '../http/request.ts';
import { BucketTable } from '../store/buckets.ts';

/** So often may one client ask, with a good proof each time, and so often at once: for all its tabs, many times over. */
const RATE = { count: 10, perMs: 1000 };
const BURST = 100;
const MAX_CLIENTS = 32_768;

/** Takes one of a client's turns: its subject's, or its address's where it has none. Throws RATE_LIMITED. */
export type Pace = (request: GatewayRequest, grant: Pick<Grant, 'subject' | 'issuer'>) => void;

/** Bounds what clients cost that may come in, of each endpoint by itself. */
export function createPace(): Pace {
  const turns = new BucketTable(RATE, BURST, { maxKeys: MAX_CLIENTS });
  return function takeTurn({ clientAddress }, { subject, issuer }) {
    const waitMs = turns.take(JSON.stringify(subject === undefined ? clientAddress : [issuer, subject]));
    if (waitMs === 0) return;
    const headers = { 'retry-after': String(Math.ceil(waitMs / 1000)) };
    throw new GatewayError('RATE_LIMITED', { headers, detail: 'asks too often' });
  };
}
