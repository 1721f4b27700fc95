import type { Message } from './profile.ts';

/** What one queued message costs besides its bytes, so that empty ones are not free. */
const OVERHEAD = 64;

/** The client's messages on their way to the service, in order; read by one loop. */
export interface Outbox {
  push(message: Message): void;
  /** Waits for the next message; undefined when `end` was called and all have been taken. */
  next(): Promise<Message | undefined>;
  end(): void;
}

/** Holds the sender of messages back, and lets it go on. */
export interface Pressure {
  onFull(): void;
  onRoom(): void;
}

/** Makes an outbox that calls `onFull` beyond `limit` bytes, and `onRoom` when half of that is free again. */
export function createOutbox(limit: number, pressure: Pressure): Outbox {
  return new BoundedOutbox(limit, pressure);
}

class BoundedOutbox implements Outbox {
  readonly #limit: number;
  readonly #pressure: Pressure;
  readonly #queue: Message[] = [];
  #size = 0;
  #isFull = false;
  #hasEnded = false;
  #wake: (() => void) | undefined;

  constructor(limit: number, pressure: Pressure) {
    this.#limit = limit;
    this.#pressure = pressure;
  }

  push(message: Message): void {
    this.#queue.push(message);
    this.#size += costOf(message);
    this.#wake?.();
    if (this.#isFull || this.#size <= this.#limit) return;
    this.#isFull = true;
    this.#pressure.onFull();
  }

  async next(): Promise<Message | undefined> {
    while (this.#queue.length === 0 && !this.#hasEnded) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    const message = this.#queue.shift();
    if (message !== undefined) this.#makeRoom(message);
    return message;
  }

  end(): void {
    this.#hasEnded = true;
    this.#wake?.();
  }

  #makeRoom(taken: Message): void {
    this.#size -= costOf(taken);
    if (!this.#isFull || this.#size > this.#limit / 2) return;
    this.#isFull = false;
    this.#pressure.onRoom();
  }
}

function costOf({ data }: Message): number {
  return data.length + OVERHEAD;
}
