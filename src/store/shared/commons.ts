import type { Commons, Notes } from '../commons.ts';
import { SharedBroadcast } from './broadcast.ts';
import type { Archive, Channel } from './channel.ts';
import { Registers } from './registers.ts';

interface CommonsParts {
  readonly channel: Channel;
  readonly archive: Archive;
  readonly notes: Notes;
}

export interface SharedCommons extends Commons {
  /** Reads all registers, and writes what is missing there: at the start, and where something may have been missed. Rejects where the archive does. */
  synchronize(): Promise<void>;
  /** Writes and tells what may not have been heard of registers. Never rejects. */
  repeat(): Promise<void>;
  /** Waits for nobody any more; again is a no-op. */
  close(): void;
}

/** What processes know together that tell each other by a channel. */
export function createSharedCommons({ channel, archive, notes }: CommonsParts): SharedCommons {
  const broadcast = new SharedBroadcast(channel);
  const registers = new Registers({ channel, archive });
  return {
    notes,
    broadcast,
    register: (topic) => registers.register(topic),
    synchronize: () => registers.synchronize(),
    repeat: () => registers.repeat(),
    close() {
      broadcast.close();
      registers.close();
    },
  };
}
