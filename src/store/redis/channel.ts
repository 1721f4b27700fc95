import type { Channel, Message } from '../shared/channel.ts';
import type { RedisLink } from './link.ts';
import type { Membership } from './membership.ts';
import { TELL } from './scripts.ts';

/** What Redis remembers for those that are away: so many messages or some more, … */
const MOST_EVENTS = 4_096;
/** … for so long after the last of them. */
const KEPT_MS = 3_600_000;
const AT_ONCE = 64;

/** A message of more bytes is for nobody, … */
const LONGEST = 256 * 1_024;
/** … and of more characters that cannot be told now, those that wait longest are forgotten. */
const MOST_WAITING = 4 * 1_024 * 1_024;

type Listener = Parameters<Channel['onTold']>[0];

/** A stream in a Redis, which each process adds to and reads. */
export class RedisChannel implements Channel {
  readonly #link: RedisLink;
  readonly #membership: Membership;
  readonly #listeners: Listener[] = [];
  readonly #waiting: string[] = [];
  #length = 0;
  #isTelling = false;
  /** That of the stream. */
  readonly key: string;

  constructor(link: RedisLink, prefix: string, membership: Membership) {
    this.#link = link;
    this.#membership = membership;
    this.key = `${prefix}:events`;
  }

  get others(): readonly string[] {
    const { name, living } = this.#membership;
    return living.names.filter((each) => each !== name);
  }

  tell(message: Message): void {
    const text = JSON.stringify(message);
    if (Buffer.byteLength(text) > LONGEST) return;
    this.#waiting.push(text);
    this.#length += text.length;
    while (this.#length > MOST_WAITING && this.#waiting.length > 0)
      this.#length -= lengthOf(this.#waiting.splice(0, 1));
    void this.repeat();
  }

  onTold(listener: Listener): void {
    this.#listeners.push(listener);
  }

  /** Tells what has not been told. Never rejects. */
  async repeat(): Promise<void> {
    if (this.#isTelling) return;
    this.#isTelling = true;
    try {
      while (this.#waiting.length > 0) await this.#tellSome();
    } catch {
      // Whoever reaches it again says so. What was told all the same is told twice.
    }
    this.#isTelling = false;
  }

  /** Something was read that `from` has told. */
  heard(from: string, text: string): void {
    if (from === this.#membership.name || text.length > LONGEST) return;
    const message = read(text);
    if (message !== undefined) for (const listener of this.#listeners) listener(message, from);
  }

  async #tellSome(): Promise<void> {
    const { name } = this.#membership;
    if (name === undefined) throw new Error('Redis has not been heard yet');
    const some = this.#waiting.splice(0, AT_ONCE);
    try {
      await this.#link.run(TELL, this.key, MOST_EVENTS, KEPT_MS, name, ...some);
    } catch (cause) {
      this.#waiting.unshift(...some);
      throw cause;
    }
    this.#length -= lengthOf(some);
  }
}

function lengthOf(texts: readonly string[]): number {
  return texts.reduce((sum, { length }) => sum + length, 0);
}

function read(text: string): Partial<Message> | undefined {
  try {
    const message: unknown = JSON.parse(text);
    if (typeof message === 'object' && message !== null) return message;
  } catch {
    // A stranger has written it.
  }
  return undefined;
}
