import type { Readiness } from '../observe/admin.ts';
import type { Crew, Member } from './crew.ts';
import { askReady } from './desks.ts';

/** A probe waits no longer. */
const WITHIN_MS = 1_000;

/**
 * New connections are welcome once all workers listen, and from then on while one of them is ready: that another is being replaced
 * is no reason to send clients elsewhere.
 */
export function readinessOf(crew: Crew): () => Promise<Readiness> {
  return async function ready() {
    if (crew.isStarting) return { ready: false, why: 'starting' };
    if (crew.isClosing) return { ready: false, why: 'draining' };
    const said = await Promise.all([...crew].map(readyOf));
    return said.find(({ ready: isReady }) => isReady) ?? said[0] ?? { ready: false, why: 'no worker runs' };
  };
}

async function readyOf({ number, line }: Member): Promise<Readiness> {
  try {
    return await askReady(line, WITHIN_MS);
  } catch {
    return { ready: false, why: `worker ${number} does not answer` };
  }
}
