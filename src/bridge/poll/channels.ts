import type { Message, ServiceEnd } from './profile.ts';

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
  /** Returns the undo, which may be called twice. */
  subscribe(channel: string, subscriber: Subscriber): () => void;
}
