import { costOf } from './message-cost.ts';
import type { Message } from './profile.ts';

/** The messages of a session that its client is not known to have, in order; each goes by how many came before it. */
export class Unconfirmed {
  #messages: Message[] = [];
  #first = 0;
  #bytes = 0;

  /** Messages that the client is known to have. */
  get first(): number {
    return this.#first;
  }

  /** All messages there have been. */
  get end(): number {
    return this.#first + this.#messages.length;
  }

  /** What is kept, in bytes. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Keeps messages behind the others. */
  add(messages: readonly Message[]): void {
    for (const message of messages) this.#messages.push(message);
    this.#bytes += costOfAll(messages);
  }

  /** All but the first `position` messages of the session. */
  from(position: number): readonly Message[] {
    return this.#messages.slice(position - this.#first);
  }

  /** The client has the first `position` messages of the session. */
  confirm(position: number): void {
    const known = this.#messages.splice(0, Math.max(0, position - this.#first));
    this.#first += known.length;
    this.#bytes -= costOfAll(known);
  }

  /** Keeps nothing any more. */
  clear(): void {
    this.confirm(this.end);
  }
}

function costOfAll(messages: readonly Message[]): number {
  return messages.reduce((sum, message) => sum + costOf(message), 0);
}
