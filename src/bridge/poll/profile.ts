import type { HttpAnswer, HttpRequest } from '../../upstream/client.ts';
import type { AdmittedRequest } from '../../upstream/forward.ts';

/** A WebSocket message, whole. Text is valid UTF-8 whichever way it is held. */
export interface Message {
  readonly data: string | Buffer;
  readonly binary: boolean;
}

/** What one poll brought. */
export interface Batch {
  readonly messages: readonly Message[];
  /** The service got further, with or without messages for the client. */
  readonly moved: boolean;
  /** Called once the messages are in the client's socket: only then may the next poll leave them behind. */
  commit(): void;
}

/**
 * How one session is spoken with a kind of HTTP service: the codec. It builds requests and reads answers, and does
 * no I/O; when to send, repeat or give up is the engine's. Readers throw UPSTREAM_INVALID.
 */
export interface Profile {
  /** Milliseconds one poll may take, to the last byte. */
  readonly pollMs: number;
  /** Milliseconds one send may take. */
  readonly sendMs: number;
  /** Largest answer that is read, in bytes. */
  readonly answerSize: number;
  /** The service drops a send it has had already, by its Idempotency-Key: one whose fate is unknown may be repeated. */
  readonly resends: boolean;
  /** The request that opens the session; undefined if none is needed. */
  open(): HttpRequest | undefined;
  /** Reads the 2xx answer to `open`; returns the subprotocol the service chose, if any. */
  opened(answer: HttpAnswer): string | undefined;
  poll(): HttpRequest;
  /** Reads a poll's answer (2xx, 304 or 408). */
  polled(answer: HttpAnswer): Batch;
  /** Undefined if the service takes no messages. */
  send(message: Message): HttpRequest | undefined;
  /** The request that tells of the end; undefined if none is wanted. */
  close(): HttpRequest | undefined;
}

/** A profile with its options compiled: makes one Profile per session. */
export type ProfileFactory = (request: AdmittedRequest) => Profile;
