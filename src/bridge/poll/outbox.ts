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
export function createOutbox(limit: number, { onFull, onRoom }: Pressure): Outbox {
  const queue: Message[] = [];
  let size = 0;
  let full = false;
  let ended = false;
  let wake: (() => void) | undefined;

  function push(message: Message): void {
    queue.push(message);
    size += costOf(message);
    wake?.();
    if (full || size <= limit) return;
    full = true;
    onFull();
  }

  function take(message: Message): Message {
    size -= costOf(message);
    if (full && size <= limit / 2) {
      full = false;
      onRoom();
    }
    return message;
  }

  async function next(): Promise<Message | undefined> {
    while (queue.length === 0 && !ended) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
    const message = queue.shift();
    return message && take(message);
  }

  return {
    push,
    next,
    end() {
      ended = true;
      wake?.();
    },
  };
}

function costOf({ data }: Message): number {
  return data.length + OVERHEAD;
}
