import type { Traffic } from '../../bridge/contract.ts';
import type { Item } from '../../bridge/poll/channels.ts';
import type { Message } from '../../bridge/poll/profile.ts';
import type { CloseStatus } from '../../frames/close.ts';
import type { SessionRecord } from '../index.ts';

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

/** How services reach the connections that are open, by what they know them by; made by the gateway. */
export interface Backchannel {
  /**
   * Sends a message to a client. Resolves with true when its socket has it, with false if it went meanwhile. `full`: too many
   * wait for it already; `gone`: there is no such connection; `unsupported`: its upstream speaks for itself.
   */
  push(id: string, message: Message): Promise<boolean> | 'full' | 'gone' | 'unsupported';
  /** Begins to close a connection; false if there is none. */
  close(id: string, status: CloseStatus): boolean;
  describe(id: string): ConnectionRecord | undefined;
  /** Gives an item to all who listen to a channel; resolves with how many it has reached, soon. */
  publish(channel: string, item: Item): Promise<number>;
}
