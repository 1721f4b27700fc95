import type { Broadcast, Commons, Notes, Register } from './commons.ts';

/** Some hundred bytes each: the oldest are forgotten first. */
const MOST_NOTES = 100_000;

interface Note {
  readonly text: string;
  readonly until: number;
}

/** The commons of one process that is alone. */
export function createMemoryCommons(): Commons {
  return { notes: new MemoryNotes(), broadcast: createSoliloquy(), register: () => BLANK };
}

/** Notes in memory, never more than 100,000. */
export class MemoryNotes implements Notes {
  readonly #notes = new Map<string, Note>();
  readonly #now: () => number;

  /** `now` never jumps, in milliseconds. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  async put(name: string, text: string, forMs: number): Promise<boolean> {
    const now = this.#now();
    if (this.has(name)) return false;
    this.#notes.delete(name);
    this.#makeRoom(now);
    this.#notes.set(name, { text, until: now + forMs });
    return true;
  }

  /** Whether there is one of this name. */
  has(name: string): boolean {
    return (this.#notes.get(name)?.until ?? 0) > this.#now();
  }

  async take(name: string): Promise<string | undefined> {
    const note = this.#notes.get(name);
    this.#notes.delete(name);
    return note !== undefined && note.until > this.#now() ? note.text : undefined;
  }

  /** The oldest are over as a rule. */
  #makeRoom(now: number): void {
    for (const [name, { until }] of this.#notes) {
      if (until > now && this.#notes.size < MOST_NOTES) return;
      this.#notes.delete(name);
    }
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
