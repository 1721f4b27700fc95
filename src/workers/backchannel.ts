import type { Backchannel } from '../observe/admin/backchannel.ts';
import { askAll } from './answers.ts';
import type { Member } from './crew.ts';
import { askDesk } from './desks.ts';

/** A push waits for its client for some seconds, and an item for those of a channel. */
const MORE_MS = 5_000;
const PUBLISH_MS = 10_000;

/** How services reach the sessions of all workers, whichever has them. */
export function createWorkersBackchannel(workers: Iterable<Member>): Backchannel {
  /** Who has a connection; of one that nobody has any worker may say so, and count it. */
  async function ownerOf(id: string): Promise<Member> {
    const { said } = await askAll(workers, ({ line }) => askDesk(line, 'backchannel', 'describe', [id]));
    const [owner] = [...said].find(([, record]) => record !== undefined) ?? [...said][0] ?? [];
    if (owner === undefined) throw new Error('no worker answers');
    return owner;
  }

  return {
    async push(id, message, waitMs) {
      const { line } = await ownerOf(id);
      return askDesk(line, 'backchannel', 'push', [id, message, waitMs], waitMs + MORE_MS);
    },
    async close(id, status) {
      const { said } = await askAll(workers, ({ line }) =>
        askDesk(line, 'backchannel', 'close', [id, status]),
      );
      return [...said.values()].includes(true);
    },
    async describe(id) {
      const { said } = await askAll(workers, ({ line }) => askDesk(line, 'backchannel', 'describe', [id]));
      return [...said.values()].find((record) => record !== undefined);
    },
    async publish(channel, item) {
      const { said } = await askAll(workers, ({ line }) =>
        askDesk(line, 'backchannel', 'publish', [channel, item], PUBLISH_MS),
      );
      return [...said.values()].reduce((sum, reached) => sum + reached, 0);
    },
  };
}
