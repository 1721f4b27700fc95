import { GatewayError } from '../errors.ts';
import type { Notes } from '../store/commons.ts';
import type { Archive, Channel, Line as Entry, Message } from '../store/shared/channel.ts';
import { createSharedCommons, type SharedCommons } from '../store/shared/commons.ts';
import { type Join, type Part, type Put, TOPICS } from './commons-topics.ts';
import type { Line } from './line.ts';

/** What a worker knows together with the others, by its primary. Resolves when it knows what the others do. Rejects where the primary is gone. */
export async function joinCommons(primary: Line): Promise<SharedCommons> {
  const commons = createSharedCommons({
    channel: await openChannel(primary),
    archive: archiveOf(primary),
    notes: notesOf(primary),
  });
  await commons.synchronize();
  return commons;
}

async function openChannel(primary: Line): Promise<Channel> {
  const listeners: ((message: Partial<Message>, from: string) => void)[] = [];
  let others: readonly string[] = [];
  primary.answer(TOPICS.others, (names: readonly string[]) => {
    others = names;
  });
  primary.answer(TOPICS.told, ({ message, from }: { message: Message; from: string }) => {
    for (const listener of listeners) listener(message, from);
  });
  const joined = (await primary.ask(TOPICS.join)) as Join;
  others = joined.others;
  return {
    get others() {
      return others;
    },
    tell: (message) => primary.say(TOPICS.tell, message),
    onTold: (listener) => void listeners.push(listener),
  };
}

function archiveOf(primary: Line): Archive {
  return {
    async write(lines) {
      await primary.ask(TOPICS.write, lines);
    },
    async *read() {
      let at: number | undefined = 0;
      while (at !== undefined) {
        const { lines, next } = (await primary.ask(TOPICS.read, at)) as Part;
        yield lines as Entry[];
        at = next;
      }
    },
  };
}

function notesOf(primary: Line): Notes {
  function unavailable(cause: unknown): never {
    throw new GatewayError('STORE_UNAVAILABLE', { cause });
  }
  return {
    put: (name, text, forMs) =>
      primary.ask(TOPICS.put, { name, text, forMs } satisfies Put).catch(unavailable) as Promise<boolean>,
    take: (name) => primary.ask(TOPICS.take, name).catch(unavailable) as Promise<string | undefined>,
  };
}
