import type { Message } from '../profile.ts';
import { bytesIn } from '../wire.ts';
import { invalid, type SocketEvent } from './events.ts';

/** What a service may leave with the gateway. */
const LARGEST = 1024 * 1024;

/**
 * What the service has been sent and has not taken (Content-Bytes-Accepted): it is sent again with the next request,
 * before what is new.
 */
export class Backlog {
  #left: readonly SocketEvent[] = [];
  #offered: readonly SocketEvent[] = [];

  /** Bytes of what is sent again. */
  get size(): number {
    return sizeOf(this.#left);
  }

  /** The events of the next request. Again, before any answer, it is the same request. */
  offer(messages: readonly Message[]): readonly SocketEvent[] {
    this.#offered = [...this.#left, ...messages.map(eventOf)];
    return this.#offered;
  }

  /** Bytes of what was offered last. */
  get offeredSize(): number {
    return sizeOf(this.#offered);
  }

  /**
   * The service has taken so many bytes of what was offered: a message may be taken in part. Throws UPSTREAM_INVALID if it
   * leaves more than 1 MiB.
   */
  accept(bytes: number): void {
    this.#left = behind(this.#offered, bytes);
    this.#offered = [];
    if (this.size > LARGEST) throw invalid('it has not accepted the last MiB that was sent');
  }
}

function eventOf(message: Message): SocketEvent {
  const { binary } = message;
  const content = bytesIn(message);
  // An empty text has no length where Pushpin writes one.
  return { type: binary ? 'BINARY' : 'TEXT', content: content.length > 0 || binary ? content : undefined };
}

function behind(events: readonly SocketEvent[], bytes: number): SocketEvent[] {
  let left = bytes;
  const first = events.findIndex(({ content }) => {
    const size = content?.length ?? 0;
    if (size > left) return true;
    left -= size;
    return false;
  });
  return events.slice(first < 0 ? events.length : first).map(({ type, content }, index) => ({
    type,
    content: index === 0 ? content?.subarray(left) : content,
  }));
}

function sizeOf(events: readonly SocketEvent[]): number {
  return events.reduce((sum, { content }) => sum + (content?.length ?? 0), 0);
}
