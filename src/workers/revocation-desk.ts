import { GatewayError } from '../errors.ts';
import type { RevocationDesk } from '../observe/admin/revocations.ts';
import type { Member } from './crew.ts';
import { askDesk } from './desks.ts';

/** A worker that hangs is passed over after so long. */
const WITHIN_MS = 2_000;

/** What is revoked: each worker knows all of it, and asks and tells the others. */
export function createRevocationsDesk(workers: Iterable<Member>): RevocationDesk {
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

  return {
    list: () => oneOf(({ line }) => askDesk(line, 'revocations', 'list', [], WITHIN_MS)),
    revoke: (order) => oneOf(({ line }) => askDesk(line, 'revocations', 'revoke', [order], WITHIN_MS)),
    undo: (order) => oneOf(({ line }) => askDesk(line, 'revocations', 'undo', [order], WITHIN_MS)),
  };
}
