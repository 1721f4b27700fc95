import { randomUUID } from 'node:crypto';
import { GatewayError } from '../../errors.ts';
import type { Notes } from '../commons.ts';
import { MemoryNotes } from '../memory-commons.ts';
import type { Guard } from './guard.ts';

interface SharedNotesDeps {
  /** Those of all; they reject where they cannot be reached. */
  readonly notes: Notes;
  readonly guard: Guard;
  /** Whether there is a connection to them. */
  readonly isConnected: () => boolean;
  /** Where they cannot be reached, nothing is kept: it is refused. */
  readonly refuses: boolean;
}

/** So long a question whether notes are kept again may be kept itself. */
const PROBE_MS = 1_000;

/**
 * Notes that are kept for all; while that is not possible, for this process alone, or not at all. What may be kept with all is
 * never kept here as well: it could be taken twice.
 */
export class SharedNotes implements Notes {
  readonly #deps: SharedNotesDeps;
  readonly #alone = new MemoryNotes();

  constructor(deps: SharedNotesDeps) {
    this.#deps = deps;
  }

  async put(name: string, text: string, forMs: number): Promise<boolean> {
    const { notes, refuses } = this.#deps;
    if (this.#alone.has(name)) return false;
    if (this.#isReachable) return this.#ask(() => notes.put(name, text, forMs));
    this.#probe();
    if (refuses) throw unavailable();
    return this.#alone.put(name, text, forMs);
  }

  async take(name: string): Promise<string | undefined> {
    const { notes, refuses } = this.#deps;
    const own = await this.#alone.take(name);
    if (own !== undefined) return own;
    if (!this.#isReachable) this.#probe();
    else if (refuses) return this.#ask(() => notes.take(name));
    else return this.#ask(() => notes.take(name)).catch(() => undefined);
    if (refuses) throw unavailable();
    return undefined;
  }

  get #isReachable(): boolean {
    const { guard, isConnected } = this.#deps;
    return guard.isAnswering && isConnected();
  }

  async #ask<T>(question: () => Promise<T>): Promise<T> {
    try {
      return await this.#deps.guard.ask(question);
    } catch (cause) {
      throw unavailable(cause);
    }
  }

  /** Sees whether they can be reached again, with a note that nobody needs. */
  #probe(): void {
    const { guard, notes } = this.#deps;
    void guard.ask(() => notes.put(`probe ${randomUUID()}`, '', PROBE_MS)).catch(() => undefined);
  }
}

function unavailable(cause?: unknown): GatewayError {
  return new GatewayError('STORE_UNAVAILABLE', { cause });
}
