import { GatewayError } from '../errors.ts';
import type { RevocationDesk } from '../observe/admin/revocations.ts';
import { askAll } from './answers.ts';
import type { Member } from './crew.ts';
import { askDesk } from './desks.ts';

/** A worker that hangs is passed over after so long. */
const WITHIN_MS = 2_000;

/**
 * What is revoked: each worker knows all of it, and asks and tells the others. With a store (`isStored`) they tell each other by
 * that, and hear nothing where it is away: each is told then.
 */
export function createRevocationsDesk(workers: Iterable<Member>, isStored: boolean): RevocationDesk {
  /** The first that answers answers for all. */
  async function oneOf<T>(ask: (member: Member) => Promise<T>): Promise<T> {
    for (const member of workers) {
      try {
        return await ask(member);
      } catch (error) {
        if (error instanceof GatewayError) throw error;
      }
    }
    throw new Error('no worker answers');
  }

  async function tell<T>(ask: (member: Member) => Promise<T>): Promise<T[]> {
    if (!isStored) return [await oneOf(ask)];
    return [...(await askAll(workers, ask)).said.values()];
  }

  return {
    list: () => oneOf(({ line }) => askDesk(line, 'revocations', 'list', [], WITHIN_MS)),
    async revoke(order) {
      const done = await tell(({ line }) => askDesk(line, 'revocations', 'revoke', [order], WITHIN_MS));
      // Each has counted those of all, as far as it hears them.
      const ended = Math.max(...done.map((each) => each.ended));
      return { ended, ...(done.some(({ unheard }) => unheard) && { unheard: true }) };
    },
    async undo(order) {
      const undone = await tell(({ line }) => askDesk(line, 'revocations', 'undo', [order], WITHIN_MS));
      return undone.includes(true);
    },
  };
}
