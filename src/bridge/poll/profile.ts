import type { HeaderField } from '../../http/request.ts';
import type { HttpAnswer, HttpRequest } from '../../upstream/client.ts';
import type { AdmittedRequest } from '../../upstream/forward.ts';
import type { AnswerHead } from '../../upstream/streamed-answer.ts';
import type { Ending } from '../contract.ts';
import type { Channels } from './channels.ts';

/** A WebSocket message, whole. Text is valid UTF-8 whichever way it is held. */
export interface Message {
  readonly data: string | Buffer;
  readonly binary: boolean;
}

/** The service's own end of a session: what a Close would have said. */
export interface ServiceEnd {
  readonly code: number;
  readonly reason: string;
}

/** A request that tells the service which messages the client has; those that it does not take may come again. */
export interface Receipt {
  readonly request: HttpRequest;
  /** Milliseconds it may take. */
  readonly timeoutMs: number;
  /** Largest answer that is read, in bytes; `'ignored'`: none is. */
  readonly answerSize: number | 'ignored';
  /** Whether a 2xx answer says that all of it was taken; absent: each does. */
  isTaken?(answer: HttpAnswer): boolean;
}

/** What one answer, or one event of a streamed one, is to the session. */
export interface Batch {
  /** For the client, in order. */
  readonly messages: readonly Message[];
  /** Where the cursor is behind them: further, or where it was; `none` where messages have none. */
  readonly cursor: 'moved' | 'unmoved' | 'none';
  /** Called once the messages are in the client's socket: only then may the next poll leave them behind. */
  commit(): void;
  /** What is sent before that. Absent: the service is told by the next poll, or by nothing. */
  readonly receipt?: Receipt | undefined;
  /** The service ends the session, once the messages are out. */
  readonly end?: ServiceEnd | undefined;
  /** Of what is received: milliseconds the service wants to be left alone for. */
  readonly waitMs?: number | undefined;
  /** Of a stream: milliseconds to leave the service alone for after this one and all that follow (WHATWG HTML §9.2.6). */
  readonly retryMs?: number | undefined;
}

export const NOTHING: Batch = { messages: [], cursor: 'none', commit() {} };

/** What the service said to the opening of a session. */
export interface Opening {
  /** The subprotocol it chose. */
  readonly protocol?: string | undefined;
  /** Messages it has already: they go to the client behind the 101. */
  readonly messages?: readonly Message[];
  /** Fields of its answer for the 101. */
  readonly fields?: readonly HeaderField[];
  /** It has not decided yet: milliseconds after which it is to be asked again, and that alone counts. */
  readonly againMs?: number | undefined;
  /** Its refusal, where that came inside of a success: as if it had answered so. */
  readonly refusal?: HttpAnswer;
}

/** Messages that are fetched by one request after the other, each answered at once or held. */
export interface Polls {
  readonly mode: 'answers';
  /** Milliseconds the service may hold a poll; what is answered after half of that was held. */
  readonly holdMs: number;
  /** Milliseconds beyond `holdMs` after which a poll is taken to have brought nothing. */
  readonly marginMs: number;
  /** Largest answer that is read, in bytes. */
  readonly answerSize: number;
  /**
   * A poll that failed may be sent again. Where it may not, its failure is the end of the session: at the end of ours it is
   * given up last, for with it would go what the client has said before.
   */
  readonly repeats: boolean;
  poll(): HttpRequest;
  /** Reads a 2xx answer, or a 304 or 408. */
  polled(answer: HttpAnswer): Batch;
  /** The service does not know the cursor any more, and the profile has set it to another: poll again, after a wait. */
  resets?(answer: HttpAnswer): boolean;
}

/** Messages that come as the body of one answer that does not end. */
export interface Streams {
  readonly mode: 'stream';
  /** Milliseconds without a byte after which the stream is taken to be dead, and asked for anew. */
  readonly silenceMs: number;
  /** Largest event, and largest answer that is a refusal, in bytes. */
  readonly answerSize: number;
  readonly repeats: boolean;
  poll(): HttpRequest;
  /** Reads the body behind a 2xx answer. */
  reader(head: AnswerHead): EventReader;
  resets?(answer: HttpAnswer): boolean;
}

/** Takes a body apart while it comes. */
export interface EventReader {
  /** What a piece of the body completes. Throws UPSTREAM_INVALID, for an event that is too large among others. */
  push(piece: Buffer): readonly Batch[];
  /** What the end of the body completes. */
  end(): readonly Batch[];
}

/** How the client's messages go to the service. */
export interface Sends {
  /** Milliseconds one send may take; of a streamed answer: from one piece to the next. */
  readonly timeoutMs: number;
  /** Largest answer that is read, in bytes; `'ignored'`: none is. */
  readonly answerSize: number | 'ignored';
  /** The service drops a send it has had already, by its Idempotency-Key: one whose fate is unknown may be repeated. */
  readonly resends: boolean;
  /** Most requests at a time in one lane. */
  readonly concurrency: number;
  /** Answers reach the client in the order of the messages, whichever comes first. */
  readonly inOrder: boolean;
  /** Messages of different lanes do not wait for one another; absent: all are in one. */
  lane?(message: Message): string;
  /** The lane whose requests the service may hold as it likes: the end of the session does not wait for them. */
  readonly heldLane?: string | undefined;
  /** How many of the messages that wait go in one request: at least 1. Absent: 1. */
  batch?(waiting: readonly Message[]): number;
  /**
   * The request with these messages, the `seq`th of the session, from 1; with none of them where the profile has asked to be
   * heard. Undefined where the service wants to hear nothing more: the messages are dropped. Throws what ends the session,
   * such as UNSUPPORTED_DATA.
   */
  send(messages: readonly Message[], seq: number): HttpRequest | undefined;
  /** Reads a 2xx answer; not called where answers are ignored. */
  sent?(answer: HttpAnswer): Batch;
  /** Where answers are streamed, in place of `sent`. */
  reader?(head: AnswerHead): EventReader;
  /** What a refusal is to the client, a 4xx but 408, 425 and 429 that `codes` does not name; undefined: the end of the session. */
  refused?(answer: HttpAnswer): Batch | undefined;
  /** What any other final answer is to the client, in place of the engine’s own end of the session. */
  failed?(answer: HttpAnswer): Batch | undefined;
}

/** What a profile may do of its own accord, between requests. */
export interface SessionControls {
  /** Names the session to the service: in `x-connection-id`, and where messages are pushed to it. */
  readonly connection: string;
  readonly channels: Channels;
  /** Puts messages behind what is on its way to the client. Resolves with true when its socket has them. */
  deliver(messages: readonly Message[]): Promise<boolean>;
  /** Ends the session with what a Close of the service would have said. */
  end(end: ServiceEnd): void;
  /** Has `send` called without messages as soon as no other request is under way. */
  nudge(): void;
}

/**
 * How one session is spoken with a kind of HTTP service: the codec. It builds requests and reads answers, and does
 * no I/O; when to send, repeat or give up is the engine's. Readers throw UPSTREAM_INVALID.
 */
export interface Profile {
  /** Absent: only answers to sends, and what is pushed, reach the client. */
  readonly receives?: Polls | Streams | undefined;
  /** Absent: the service takes no messages. */
  readonly sends?: Sends | undefined;
  /** Close codes for statuses, in place of the gateway's own: each that is named ends the session. */
  readonly codes?: Readonly<Record<number, number>> | undefined;
  /** The cursor moves, or a receipt is sent, only once the client has answered a ping sent behind the messages; absent: once they are written. */
  readonly confirms?: boolean | undefined;
  /** The service knows the session by the gateway's own name for it: it is told of the end even if it never answered `open`. */
  readonly isNamed?: boolean | undefined;
  /** For the client, a connection is a session: no later one goes on with this, whatever token it has. */
  readonly endsWithClient?: boolean | undefined;
  /** Largest answer to `open` that is read, in bytes. */
  readonly answerSize: number;
  /** The request that opens the session; undefined if none is needed. Throws what refuses the client. */
  open(): HttpRequest | undefined;
  /** Reads the 2xx answer to `open`. */
  opened(answer: HttpAnswer): Opening;
  /** The request that tells of the end; undefined if none is wanted. `ending` is undefined where the client left before the 101. */
  close(ending?: Ending): HttpRequest | undefined;
  /** The session is open. */
  begin?(session: SessionControls): void;
  /** The session is over: stops what `begin` has started. Again is a no-op. */
  finish?(): void;
}

/** A profile with its options compiled. */
export interface ProfileFactory {
  /** Its sessions are opened by a request before the 101. Else they may begin during an outage, and wait for its end. */
  readonly opens: boolean;
  /** Makes the profile of one session. */
  create(request: AdmittedRequest): Profile;
}
