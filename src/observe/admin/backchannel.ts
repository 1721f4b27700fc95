import type { Traffic } from '../../bridge/contract.ts';
import type { Item } from '../../bridge/poll/channels.ts';
import type { Message } from '../../bridge/poll/profile.ts';
import type { CloseStatus } from '../../frames/close.ts';
import type { SessionRecord } from '../index.ts';
import type { Answered } from './page.ts';

/** What a service may know of a connection of its own; nothing in it is a secret. */
export interface ConnectionRecord
  extends Pick<SessionRecord, 'route' | 'bridge' | 'subject' | 'protocol' | 'clientAddress'> {
  /** The `x-connection-id` of its requests. */
  readonly id: string;
  /** What log lines call it. */
  readonly request: string;
  /** When it was opened (RFC 3339). */
  readonly since: string;
  readonly up: Traffic;
  readonly down: Traffic;
}

/**
 * What becomes of a push: the client's socket has it, or is to have it; or too many wait for it already, there is no such
 * connection, or its upstream speaks for itself.
 */
export type Pushed = 'delivered' | 'on its way' | 'full' | 'gone' | 'unsupported';

/** How services reach the connections that are open, by what they know them by; made by the gateway. */
export interface Backchannel {
  /** Sends a message to a client, and waits so many milliseconds for its socket to have it. */
  push(id: string, message: Message, waitMs: number): Promise<Pushed>;
  /** Begins to close a connection; false if there is none. */
  close(id: string, status: CloseStatus): Answered<boolean>;
  describe(id: string): Answered<ConnectionRecord | undefined>;
  /** Gives an item to all who listen to a channel; resolves with how many it has reached, soon. */
  publish(channel: string, item: Item): Promise<number>;
}
