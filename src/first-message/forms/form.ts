import { GatewayError } from '../../errors.ts';
import type { UpgradeRequest } from '../../http/request.ts';

/** What a form makes of the messages with which a client begins. */
export interface Reading {
  /** All that stands where tokens do, as it stands there. None: the client shows none. */
  readonly tokens: readonly string[];
  /** The message without them. */
  readonly bare: Buffer;
  /** What a refused client is told in its own protocol, before the Close; absent: nothing. */
  readonly refusal?: ((error: GatewayError) => Buffer) | undefined;
}

/** How the first messages of a route’s clients are read. No I/O. */
export interface Form {
  /** Whether the message may go on in several of WebSocket's. */
  readonly isStream: boolean;
  /** It comes as text or binary messages; absent: either. */
  readonly isBinary?: boolean;
  /** Why a client cannot wait with its token until then; undefined: it can. */
  unfit?(request: UpgradeRequest): string | undefined;
  /** What such a client waits for before it says anything; its service says it again, and that is told to `greeted`. */
  readonly greeting?: Greeting;
  /** Reads what came, all of it in one. Undefined: it goes on. Throws TOKEN_MISSING for what is no such message. */
  read(bytes: Buffer): Reading | undefined;
}

/** The first word of a protocol in which that is the server's. */
export interface Greeting {
  /** A text message, another for each client. */
  say(): string;
  /** Hears the service's own. Throws UPSTREAM_INVALID for anything else. */
  heard(text: string): void;
}

/** The refusal of a client whose first message shows no token; `detail` goes to the log. */
export function missing(detail: string): GatewayError {
  return new GatewayError('TOKEN_MISSING', { detail: `the first message ${detail}` });
}
