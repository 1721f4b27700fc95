import { GatewayError } from '../errors.ts';

/** Somebody who is asked together with others. */
interface Asked {
  readonly number: number;
}

/** What came of a question to all workers. */
export interface Answers<M extends Asked, T> {
  /** Who has answered, with what. */
  readonly said: ReadonlyMap<M, T>;
  /** The numbers of those that have not, in time. */
  readonly silent: readonly number[];
}

/**
 * Asks all, and resolves with the answers that came. Rejects with what the first has thrown on purpose, where nobody answers
 * otherwise, and with an Error where nobody answers at all.
 */
export async function askAll<M extends Asked, T>(
  members: Iterable<M>,
  ask: (member: M) => Promise<T>,
): Promise<Answers<M, T>> {
  const all = [...members];
  const outcomes = await Promise.allSettled(all.map(ask));
  const said = new Map<M, T>();
  const silent: number[] = [];
  const refusals: GatewayError[] = [];
  for (const [index, outcome] of outcomes.entries()) {
    const member = all[index] as M;
    if (outcome.status === 'fulfilled') said.set(member, outcome.value);
    else if (outcome.reason instanceof GatewayError) refusals.push(outcome.reason);
    else silent.push(member.number);
  }
  const [refusal] = refusals;
  if (said.size === 0 && refusal !== undefined) throw refusal;
  if (said.size === 0) throw new Error('no worker answers');
  return { said, silent };
}
