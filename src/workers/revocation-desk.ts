import type { RevocationDesk } from '../observe/admin/revocations.ts';
import { askAll } from './answers.ts';
import type { Member } from './crew.ts';
import { askDesk } from './desks.ts';

/** What is revoked: each worker knows all of it, and tells the others. */
export function createRevocationsDesk(workers: Iterable<Member>): RevocationDesk {
  /** The first that answers answers for all. */
  async function oneOf<T>(ask: (member: Member) => Promise<T>): Promise<T> {
    let cause: unknown = new Error('no worker answers');
    for (const member of workers) {
      try {
        return await ask(member);
      } catch (error) {
        cause = error;
      }
    }
    throw cause;
  }

  /** Who has a session knows what its client has proven. */
  async function ownerOf(id: string): Promise<Member | undefined> {
    const { said } = await askAll(workers, ({ line }) => askDesk(line, 'sessions', 'find', [id]));
    return [...said].find(([, view]) => view !== undefined)?.[0];
  }

  return {
    list: () => oneOf(({ line }) => askDesk(line, 'revocations', 'list', [])),
    async revoke(order) {
      const owner = order.by === 'session' ? await ownerOf(order.value) : undefined;
      if (owner !== undefined) return askDesk(owner.line, 'revocations', 'revoke', [order]);
      return oneOf(({ line }) => askDesk(line, 'revocations', 'revoke', [order]));
    },
    undo: (order) => oneOf(({ line }) => askDesk(line, 'revocations', 'undo', [order])),
  };
}
