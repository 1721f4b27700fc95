import type { Kind, RunningPeer, Tools } from '../types.ts';

/**
 * Lets a fresh peer work for a while on one connection, so that what it takes once, to work at all, is not counted as
 * memory of what comes then. No more than one: what many leave behind would serve those that are measured.
 */
export async function atWork(
  peer: RunningPeer,
  { load, seconds }: Tools,
  kind: Kind = 'websocket',
): Promise<void> {
  await load.echo(peer, { kind }, { connections: 1, inFlight: 1, size: 64, warmUp: 0, seconds });
}
