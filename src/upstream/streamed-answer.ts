import type { IncomingHttpHeaders } from 'node:http';
import type { HttpAnswer } from './client.ts';
import { ExchangeFailed } from './exchange-failed.ts';
import { Gathered } from './gathered.ts';

/** The status and header fields of an answer; names in lower case. */
export interface AnswerHead {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
}

/**
 * An answer whose body is read while it comes, decoded. Whoever gets it reads the body to its end or leaves it: until
 * then it holds a connection.
 */
export interface StreamedAnswer extends AnswerHead {
  /**
   * The pieces, once. Rejects with ExchangeFailed; leaving it early ends the request. Nothing is read ahead of who takes it
   * but one piece and what the socket holds.
   */
  readonly body: AsyncIterable<Buffer>;
}

export interface StreamLimits {
  readonly signal: AbortSignal;
  /** Milliseconds to the head of the answer, and from one piece of its body to the next; only while one is waited for. */
  readonly silenceMs: number;
}

/** How much of a streamed answer is read that turns out to be no stream. */
export interface CollectLimits {
  /** Milliseconds from the call to the last byte. */
  readonly timeoutMs: number;
  /** Largest body in bytes, decoded. */
  readonly bodySize: number;
}

/**
 * Reads a streamed answer to its end, as a refusal is read. Rejects with ExchangeFailed: `too big`, `timeout`, or as
 * the body does; the request is then over.
 */
export async function collect(answer: StreamedAnswer, limits: CollectLimits): Promise<HttpAnswer> {
  const { status, headers, body } = answer;
  const pieces = body[Symbol.asyncIterator]();
  let isLate = false;
  const timer = setTimeout(function onTimeout() {
    isLate = true;
    void pieces.return?.();
  }, limits.timeoutMs);
  try {
    const whole = await readAll(pieces, limits.bodySize);
    if (isLate) throw new ExchangeFailed('timeout', false);
    return { status, headers, body: whole };
  } finally {
    clearTimeout(timer);
    await pieces.return?.();
  }
}

async function readAll(pieces: AsyncIterator<Buffer>, size: number): Promise<Buffer> {
  const read = new Gathered();
  for (let piece = await pieces.next(); !piece.done; piece = await pieces.next()) {
    if (read.size + piece.value.length > size) throw new ExchangeFailed('too big', false);
    read.add(piece.value);
  }
  return read.whole;
}
