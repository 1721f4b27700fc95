import type { Ending } from '../contract.ts';
import type { Clock } from './backoff.ts';
import type { Channels } from './channels.ts';
import type { SessionConcealment } from './concealment.ts';
import type { Message, Profile } from './profile.ts';
import type { SessionClient } from './session-client.ts';

/** An opened session with an HTTP service. */
export interface Conversation {
  readonly http: SessionClient;
  readonly profile: Profile;
  /** Messages the service had when it opened the session. */
  readonly greeting: readonly Message[];
  /** Names the session to the service. */
  readonly connection: string;
  readonly channels: Channels;
  /** Bytes of client messages that may wait to be sent. */
  readonly queueSize: number;
  /** Milliseconds of failure after which the service is given up; undefined: never. */
  readonly outageMs: number | undefined;
  readonly clock: Clock;
  /** Of what the client must not read. Absent: there is no such thing. */
  readonly concealment?: SessionConcealment | undefined;
  /** Sees to it that the service is told of the end. Resolves when it is, or never will be: the session does not wait for that. */
  sayGoodbye(ending: Ending): Promise<void>;
}
