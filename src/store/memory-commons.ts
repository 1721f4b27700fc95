import type { Broadcast, Commons, Notes, Register } from './commons.ts';

/** Of more, or of longer ones together, the oldest are forgotten first. */
const MOST_NOTES = 100_000;
const MOST_CHARACTERS = 32 * 1024 * 1024;

interface Note {
  readonly text: string;
  readonly until: number;
}

/** The commons of one process that is alone. */
export function createMemoryCommons(): Commons {
  return { notes: new MemoryNotes(), broadcast: createSoliloquy(), register: () => BLANK };
}

/** Notes in memory: never more than 100,000, nor 32 Mi characters. */
export class MemoryNotes implements Notes {
  readonly #notes = new Map<string, Note>();
  #characters = 0;
  readonly #now: () => number;

  /** `now` never jumps, in milliseconds. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  async put(name: string, text: string, forMs: number): Promise<boolean> {
    const now = this.#now();
    if (this.has(name)) return false;
    this.#delete(name);
    this.#makeRoom(now, text.length);
    this.#notes.set(name, { text, until: now + forMs });
    this.#characters += text.length;
    return true;
  }

  /** Whether there is one of this name. */
  has(name: string): boolean {
    return (this.#notes.get(name)?.until ?? 0) > this.#now();
  }

  async take(name: string): Promise<string | undefined> {
    const note = this.#delete(name);
    return note !== undefined && note.until > this.#now() ? note.text : undefined;
  }

  /** The oldest are over as a rule. */
  #makeRoom(now: number, length: number): void {
    for (const [name, { until }] of this.#notes) {
      const hasRoom = this.#notes.size < MOST_NOTES && this.#characters + length <= MOST_CHARACTERS;
      if (until > now && hasRoom) return;
      this.#delete(name);
    }
  }

  #delete(name: string): Note | undefined {
    const note = this.#notes.get(name);
    if (this.#notes.delete(name)) this.#characters -= note?.text.length ?? 0;
    return note;
  }
}

function createSoliloquy(): Broadcast {
  const answerers = new Map<string, (what: unknown) => unknown>();
  return {
    async ask(topic, what) {
      const answer = await answerers.get(topic)?.(what);
      return answer === undefined ? [] : [answer];
    },
    answer(topic, answerer) {
      answerers.set(topic, answerer);
      return () => void answerers.delete(topic);
    },
  };
}

/** Nobody reads what is written, and nobody else writes. */
const BLANK: Register = { put: () => undefined, remove: () => undefined, listen: () => () => undefined };
