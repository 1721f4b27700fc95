import type { Reached } from '../../upstream/reach.ts';
import type { Destination } from '../contract.ts';

/** Where a session with a TCP service leads to, for logs and metrics: no more of it is to stay in memory. */
export function destinationOf({ name, label, chosen }: Reached): Destination {
  return { target: name, label, chosen };
}
