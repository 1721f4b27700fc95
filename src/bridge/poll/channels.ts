import { GatewayError } from '../../errors.ts';
import { within } from '../../within.ts';
import type { Message, ServiceEnd } from './profile.ts';
import { Allotment, type PushObserver, type PushOutcome, unheard } from './pushes.ts';

/**
 * What is published to a channel: a message, an end, or the wish that the session ask its service; `meta` says of it what
 * subscribers may judge by, such as its `sender`.
 */
export type Item = { readonly meta?: Readonly<Record<string, string>> | undefined } & (
  | { readonly kind: 'message'; readonly message: Message }
  | { readonly kind: 'end'; readonly end: ServiceEnd }
  | { readonly kind: 'refresh' }
);

/** A session that listens to a channel. Resolves with whether the item reached it. */
export type Subscriber = (item: Item) => Promise<boolean>;

/** Channels by which services reach many sessions at once. */
export interface Channels {
  /**
   * Has `subscriber` hear what is published to a channel, in place of the session's earlier one if there is one. Returns the
   * undo, which may be called twice. Throws UPSTREAM_INVALID for a name of no or, with its prefix, of more than 255 characters, and for more
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
/** Nobody who publishes waits for longer, however slowly a client reads. */
const PUBLISH_MS = 5_000;

/** Who listens to which channel, in one gateway. */
export class ChannelHub {
  readonly #members: Members = new Map();
  readonly #observer: PushObserver;

  constructor(observer: PushObserver = unheard) {
    this.#observer = observer;
  }

  /** Channels that somebody listens to. */
  get size(): number {
    return this.#members.size;
  }

  /**
   * Lets a session in; `limit` is how many bytes may be on their way to its client, beyond which it misses what is published.
   * To all others its channels have names that begin with `prefix`.
   */
  join(limit: number, prefix = ''): SessionChannels {
    return new Member(this.#members, limit, prefix);
  }

  /**
   * Gives an item to every session that listens to a channel, each at its own pace. Resolves with how many it has reached, at
   * the latest after `withinMs`; others may get it later still.
   */
  async publish(channel: string, item: Item, withinMs = PUBLISH_MS): Promise<number> {
    let reached = 0;
    const members = [...(this.#members.get(channel) ?? [])];
    const all = members.map(async (member) => {
      const outcome = await member.take(channel, item);
      this.#observer.pushed('channel', outcome);
      if (outcome === 'delivered') reached++;
    });
    await within(Promise.all(all), withinMs);
    return reached;
  }
}

type Members = Map<string, Set<Member>>;

class Member implements SessionChannels {
  /** Those of all sessions. */
  readonly #members: Members;
  readonly #limit: number;
  /** For what is on its way to the client. */
  #allotment: Allotment | undefined;
  readonly #prefix: string;
  /** Most sessions listen to nothing, and have none. */
  #subscribers: Map<string, Subscriber> | undefined;
  #hasLeft = false;

  constructor(members: Members, limit: number, prefix: string) {
    this.#members = members;
    this.#prefix = prefix;
    this.#limit = limit;
  }

  subscribe(name: string, subscriber: Subscriber): () => void {
    if (this.#hasLeft) return () => {};
    const channel = this.#prefix + name;
    const subscribers = this.#subscribers ?? new Map<string, Subscriber>();
    this.#check(channel, subscribers);
    this.#subscribers = subscribers.set(channel, subscriber);
    const members = this.#members.get(channel) ?? new Set();
    this.#members.set(channel, members.add(this));
    return () => {
      if (subscribers.get(channel) === subscriber) this.#drop(channel);
    };
  }

  leave(): void {
    this.#hasLeft = true;
    for (const channel of [...(this.#subscribers?.keys() ?? [])]) this.#drop(channel);
  }

  /** Gives an item to the session. Never rejects. */
  async take(channel: string, item: Item): Promise<PushOutcome> {
    const subscriber = this.#subscribers?.get(channel);
    if (subscriber === undefined) return 'gone';
    this.#allotment ??= new Allotment(this.#limit);
    const giveBack = this.#allotment.take(item.kind === 'message' ? item.message.data.length : 0);
    if (giveBack === undefined) return 'full';
    try {
      return (await subscriber(item)) ? 'delivered' : 'gone';
    } catch {
      // Whatever has failed, it is the session's business, and not that of others or of who publishes.
      return 'gone';
    } finally {
      giveBack();
    }
  }

  #check(channel: string, subscribers: ReadonlyMap<string, Subscriber>): void {
    if (channel.length === this.#prefix.length || channel.length > MAX_CHANNEL_NAME)
      throw invalid(`a channel’s name has 1 to ${MAX_CHANNEL_NAME} characters`);
    if (subscribers.size >= MAX_CHANNELS && !subscribers.has(channel))
      throw invalid(`a session listens to at most ${MAX_CHANNELS} channels`);
  }

  #drop(channel: string): void {
    this.#subscribers?.delete(channel);
    const members = this.#members.get(channel);
    members?.delete(this);
    if (members?.size === 0) this.#members.delete(channel);
  }
}

function invalid(detail: string): GatewayError {
  return new GatewayError('UPSTREAM_INVALID', { detail });
}
