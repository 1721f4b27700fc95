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
    const asked = [...workers].map(async (member) => {
      const record = await askDesk(member.line, 'backchannel', 'describe', [id]);
      return { member, isOwner: record !== undefined };
    });
    // One that hangs is not waited for where another has it.
    const owners = asked.map(async (each) =>
      (await each).isOwner ? each : Promise.reject(new Error('not here')),
    );
    const { member } = await Promise.any(owners)
      .catch(() => Promise.any(asked))
      .catch(() => Promise.reject(new Error('no worker answers')));
    return member;
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
