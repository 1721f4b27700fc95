import type { Commons } from '../commons.ts';
import { createSharedCommons } from '../shared/commons.ts';
import type { Guard, GuardObserver } from '../shared/guard.ts';
import { SharedNotes } from '../shared/notes.ts';
import { RedisArchive } from './archive.ts';
import { RedisChannel } from './channel.ts';
import { Events } from './events.ts';
import type { RedisLink } from './link.ts';
import type { Membership } from './membership.ts';
import { RedisNotes } from './notes.ts';

interface CommonsDeps {
  readonly link: RedisLink;
  /** One more connection: who reads on it waits. */
  readonly reading: RedisLink;
  readonly prefix: string;
  readonly membership: Membership;
  readonly guard: Guard;
  /** Nothing is kept in this process alone while Redis does not answer. */
  readonly refuses: boolean;
  /** Hears whether what others tell is heard. */
  readonly observer?: GuardObserver | undefined;
}

export interface RedisCommons extends Commons {
  /** Resolves when the registers were read, and what others tell is heard. */
  readonly heard: Promise<void>;
  /** The registers are being read: resolves when they were, or could not be. Undefined: they are not. */
  readonly beginning: Promise<void> | undefined;
  /** What others tell is heard, as far as is known. */
  readonly isHearing: boolean;
  /** Tells what may not have been told. Never rejects. */
  repeat(): Promise<void>;
  /** The same, and writes again what Redis may have lost. Never rejects. */
  restate(): Promise<void>;
  /** Again is a no-op. */
  close(): void;
}

/** What gateways know together by a Redis: what they tell each other is a stream there, what all have a copy of a hash, a note a key. */
export function createRedisCommons(deps: CommonsDeps): RedisCommons {
  const { link, reading, prefix, membership, guard, refuses, observer } = deps;
  const channel = new RedisChannel(link, prefix, membership);
  const archive = new RedisArchive(link, prefix);
  const isConnected = () => link.isReady;
  const notes = new SharedNotes({ notes: new RedisNotes(link, prefix), guard, isConnected, refuses });
  const commons = createSharedCommons({ channel, archive, notes });
  const events = new Events({
    link: reading,
    key: channel.key,
    onEvent: (from, text) => channel.heard(from, text),
    onBegin: () => commons.synchronize(),
    observer,
  });
  return {
    ...commons,
    heard: events.heard,
    get beginning() {
      return events.beginning;
    },
    get isHearing() {
      return events.isHearing;
    },
    async repeat() {
      await Promise.all([channel.repeat(), commons.repeat()]);
    },
    async restate() {
      await Promise.all([channel.repeat(), commons.synchronize()]).catch(() => undefined);
    },
    close() {
      events.close();
      commons.close();
    },
  };
}
