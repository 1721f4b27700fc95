import type { Batch, Message, Receipt, ServiceEnd } from './profile.ts';
import { Allotment } from './pushes.ts';

export interface DeliveriesParts {
  /** Bytes of messages that may wait uncalled for. */
  readonly limit: number;
  /** Resolves when the client's socket has the messages; with false if there is no client any more. */
  deliver(messages: readonly Message[]): Promise<boolean>;
  /** Resolves when the client has what was delivered before; with false if it will not say so. */
  confirm(): Promise<boolean>;
  /** Tells the service what the client has. Rejects with what ends the session. */
  acknowledge(receipt: Receipt): Promise<void>;
  /** Resolves when the client has all that was delivered, where `deliver` may resolve before. */
  readonly settled?: (() => Promise<void>) | undefined;
  /** The service has ended the session. */
  onEnd(end: ServiceEnd): void;
}

/**
 * What goes to the client of one session, from polls, answers to sends and whoever else has something for it: one after the
 * other, so that no batch comes amid another.
 */
export class Deliveries {
  readonly #parts: DeliveriesParts;
  /** Resolves when nothing is on its way. */
  #last: Promise<unknown> = Promise.resolve();
  /** What was offered, and waits; absent until something is. */
  #offered: Allotment | undefined;

  constructor(parts: DeliveriesParts) {
    this.#parts = parts;
  }

  /**
   * Delivers a batch, tells the service, commits it and ends the session where it says so. `isConfirmed`: a cursor moves, and
   * the service is told, only once the client has said that it has what is before it. Resolves with false if nothing more is
   * to come. Rejects with what ends the session.
   */
  async take(batch: Batch, isConfirmed = false): Promise<boolean> {
    const { messages, receipt, end } = batch;
    if (messages.length > 0) {
      if (!(await this.deliver(messages))) return false;
      const counts = batch.cursor === 'moved' || receipt !== undefined;
      if (isConfirmed && counts && !(await this.#parts.confirm())) return false;
    }
    if (receipt !== undefined) await this.#parts.acknowledge(receipt);
    batch.commit();
    if (end === undefined) return true;
    await this.end(end);
    return false;
  }

  /** Delivers what nobody has asked for; resolves with false if too much of that waits, or there is no client any more. */
  async offer(messages: readonly Message[]): Promise<boolean> {
    this.#offered ??= new Allotment(this.#parts.limit);
    const giveBack = this.#offered.take(messages.reduce((sum, { data }) => sum + data.length, 0));
    if (giveBack === undefined) return false;
    return this.deliver(messages).finally(giveBack);
  }

  /** Delivers messages behind what is on its way. Resolves with false if there is no client any more. */
  deliver(messages: readonly Message[]): Promise<boolean> {
    const delivered = this.#last.then(() => this.#parts.deliver(messages));
    this.#last = delivered;
    return delivered;
  }

  /** Ends the session once what is on its way has come. */
  async end(end: ServiceEnd): Promise<void> {
    await this.#last;
    await this.#parts.settled?.();
    this.#parts.onEnd(end);
  }
}
