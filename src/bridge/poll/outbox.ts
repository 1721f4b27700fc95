import { costOf } from './message-cost.ts';
import type { Message } from './profile.ts';

/** Holds the sender of messages back, and lets it go on. */
export interface Pressure {
  onFull(): void;
  onRoom(): void;
}

/**
 * The client's messages on their way to the service, in the order they came. Calls `onFull` beyond `limit` bytes, and
 * `onRoom` when half of that is free again.
 */
export class Outbox {
  readonly #limit: number;
  readonly #pressure: Pressure;
  #size = 0;
  #count = 0;
  #isFull = false;

  constructor(limit: number, pressure: Pressure) {
    this.#limit = limit;
    this.#pressure = pressure;
  }

  /** Messages that wait. */
  get count(): number {
    return this.#count;
  }

  /** Puts a message at the end of a queue; all queues count together. */
  push(message: Message, queue: Message[]): void {
    queue.push(message);
    this.#size += costOf(message);
    this.#count++;
    if (this.#isFull || this.#size <= this.#limit) return;
    this.#isFull = true;
    this.#pressure.onFull();
  }

  /** Takes the first `count` messages of a queue. */
  take(queue: Message[], count: number): Message[] {
    const taken = queue.splice(0, count);
    this.#count -= taken.length;
    for (const message of taken) this.#size -= costOf(message);
    if (this.#size <= this.#limit / 2) this.#makeRoom();
    return taken;
  }

  /** No more messages are put into it: nobody is held back for its sake, least of all from hearing of the end. */
  close(): void {
    this.#makeRoom();
  }

  #makeRoom(): void {
    if (!this.#isFull) return;
    this.#isFull = false;
    this.#pressure.onRoom();
  }
}
