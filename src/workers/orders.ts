import { availableParallelism } from 'node:os';
import type { Config } from '../config/schema.ts';

/** What a worker is to do, in the primary's words: what it is told here stands in no argument and no variable. */
export interface Orders {
  /** The configuration as it was read when the primary began; a file that has changed since counts when it begins anew. */
  readonly text: string;
  readonly file: string;
  /** Which worker it is, from 1, … */
  readonly number: number;
  /** … of how many. */
  readonly size: number;
  readonly ticketSecret: Uint8Array;
}

/** How many processes are to serve, never more than there may be connections. */
export function workersOf(
  { workers = 1, limits: { connections } }: Config,
  cores = availableParallelism(),
): number {
  const wanted = workers === 'auto' ? cores : workers;
  return connections === 'auto' ? wanted : Math.min(wanted, connections);
}

/** The configuration as one of the workers takes it: `limits.connections` is divided, the first get what is over. `auto` is of each process. */
export function shareOf(config: Config, { number, size }: Pick<Orders, 'number' | 'size'>): Config {
  const { connections } = config.limits;
  if (connections === 'auto') return config;
  const own = Math.floor(connections / size) + (number <= connections % size ? 1 : 0);
  return { ...config, limits: { ...config.limits, connections: own } };
}
