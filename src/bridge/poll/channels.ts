import { GatewayError } from '../../errors.ts';
import type { Message, ServiceEnd } from './profile.ts';

/** What is published to a channel: a message, an end, or the wish that the session ask its service. */
export type Item =
  | { readonly kind: 'message'; readonly message: Message }
  | { readonly kind: 'end'; readonly end: ServiceEnd }
  | { readonly kind: 'refresh' };

/** A session that listens to a channel. Resolves with whether the item reached it. */
export type Subscriber = (item: Item) => Promise<boolean>;

/** Channels by which services reach many sessions at once. */
export interface Channels {
  /**
   * Has `subscriber` hear what is published to a channel, in place of the session's earlier one if there is one. Returns the
   * undo, which may be called twice. Throws UPSTREAM_INVALID for a name of no or of more than 255 characters, and for more
   * channels than a session may listen to.
   */
  subscribe(channel: string, subscriber: Subscriber): () => void;
}

/** The channels as one session has them: nothing is left of them once it has left. */
export interface SessionChannels extends Channels {
  /** Takes the session out of all of them, for good. Again is a no-op. */
  leave(): void;
}

/** Of channels, in characters. */
export const MAX_CHANNEL_NAME = 255;
/** As many as any page shows, and few enough that a session costs no more than its buffers. */
const MAX_CHANNELS = 1_000;
/** What an item costs besides its bytes, so that empty ones are not free. */
const OVERHEAD = 64;
/** Nobody who publishes waits for longer, however slowly a client reads. */
const PUBLISH_MS = 5_000;

/** Who listens to which channel, in one gateway. */
export class ChannelHub {
  readonly #members = new Map<string, Set<Member>>();

  /** Channels that somebody listens to. */
  get size(): number {
    return this.#members.size;
  }

  /** Lets a session in; `limit` is how many bytes may be on their way to its client, beyond which it misses what is published. */
  join(limit: number): SessionChannels {
    return new Member(this.#members, limit);
  }

  /**
   * Gives an item to every session that listens to a channel, each at its own pace. Resolves with how many it has reached, at
   * the latest after `withinMs`; others may get it later still.
   */
  async publish(channel: string, item: Item, withinMs = PUBLISH_MS): Promise<number> {
    let reached = 0;
    const members = [...(this.#members.get(channel) ?? [])];
    const all = members.map(async (member) => {
      if (await member.take(channel, item)) reached++;
    });
    await atMost(Promise.all(all), withinMs);
    return reached;
  }
}

class Member implements SessionChannels {
  /** Those of all sessions. */
  readonly #members: Map<string, Set<Member>>;
  readonly #limit: number;
  readonly #subscribers = new Map<string, Subscriber>();
  /** On their way to the client. */
  #bytes = 0;
  #hasLeft = false;

  constructor(members: Map<string, Set<Member>>, limit: number) {
    this.#members = members;
    this.#limit = limit;
  }

  subscribe(channel: string, subscriber: Subscriber): () => void {
    if (this.#hasLeft) return () => {};
    this.#check(channel);
    this.#subscribers.set(channel, subscriber);
    const members = this.#members.get(channel) ?? new Set();
    this.#members.set(channel, members.add(this));
    return () => {
      if (this.#subscribers.get(channel) === subscriber) this.#drop(channel);
    };
  }

  leave(): void {
    this.#hasLeft = true;
    for (const channel of [...this.#subscribers.keys()]) this.#drop(channel);
  }

  /** False if it does not reach the client, or there is no room for it. */
  async take(channel: string, item: Item): Promise<boolean> {
    const subscriber = this.#subscribers.get(channel);
    const cost = costOf(item);
    if (subscriber === undefined || (this.#bytes > 0 && this.#bytes + cost > this.#limit)) return false;
    this.#bytes += cost;
    try {
      return await subscriber(item);
    } catch {
      // Whatever has failed, it is the session's business, and not that of others or of who publishes.
      return false;
    } finally {
      this.#bytes -= cost;
    }
  }

  #check(channel: string): void {
    if (channel.length === 0 || channel.length > MAX_CHANNEL_NAME)
      throw invalid(`a channel’s name has 1 to ${MAX_CHANNEL_NAME} characters`);
    if (this.#subscribers.size >= MAX_CHANNELS && !this.#subscribers.has(channel))
      throw invalid(`a session listens to at most ${MAX_CHANNELS} channels`);
  }

  #drop(channel: string): void {
    this.#subscribers.delete(channel);
    const members = this.#members.get(channel);
    members?.delete(this);
    if (members?.size === 0) this.#members.delete(channel);
  }
}

function costOf(item: Item): number {
  return OVERHEAD + (item.kind === 'message' ? item.message.data.length : 0);
}

function invalid(detail: string): GatewayError {
  return new GatewayError('UPSTREAM_INVALID', { detail });
}

/** Waits for `done`, but not for longer than `ms`. */
async function atMost(done: Promise<unknown>, ms: number): Promise<void> {
  const { promise: late, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  await Promise.race([done, late]);
  clearTimeout(timer);
}
