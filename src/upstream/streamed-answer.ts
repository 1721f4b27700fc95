import type { IncomingHttpHeaders } from 'node:http';

/** The status and header fields of an answer; names in lower case. */
export interface AnswerHead {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
}

/** An answer whose body is read while it comes, decoded. */
export interface StreamedAnswer extends AnswerHead {
  /**
   * The pieces, once. Rejects with ExchangeFailed; leaving it early ends the request. Nothing is read ahead of who takes it
   * but one piece and what the socket holds.
   */
  readonly body: AsyncIterable<Buffer>;
}

export interface StreamLimits {
  readonly signal: AbortSignal;
  /** Milliseconds to the head of the answer, and from one piece of its body to the next. */
  readonly silenceMs: number;
}
