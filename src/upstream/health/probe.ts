import type { Endpoint } from '../endpoint.ts';
import type { Pool } from '../pool.ts';

/** Asks an endpoint whether it is well. Rejects if it is not, and when `signal` aborts; leaves nothing open. */
export type Probe = (
  pool: Pool,
  endpoint: Endpoint,
  path: string | undefined,
  signal: AbortSignal,
) => Promise<void>;
