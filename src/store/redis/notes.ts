import type { Notes } from '../commons.ts';
import type { RedisLink } from './link.ts';
import { TAKE } from './scripts.ts';

/** Notes in a Redis, a key each. They reject where it does not answer; whether a note is kept, or taken, is unknown then. */
export class RedisNotes implements Notes {
  readonly #link: RedisLink;
  readonly #prefix: string;

  constructor(link: RedisLink, prefix: string) {
    this.#link = link;
    this.#prefix = prefix;
  }

  async put(name: string, text: string, forMs: number): Promise<boolean> {
    const ms = Math.max(1, Math.ceil(forMs));
    return (await this.#link.call('SET', this.#keyOf(name), text, 'NX', 'PX', ms)) === 'OK';
  }

  async take(name: string): Promise<string | undefined> {
    const text = await this.#link.run(TAKE, this.#keyOf(name));
    return typeof text === 'string' ? text : undefined;
  }

  #keyOf(name: string): string {
    return `${this.#prefix}:note:${name}`;
  }
}
