import { asGatewayError, GatewayError } from '../../errors.ts';
import { ExchangeFailed, type HttpAnswer, type HttpRequest } from '../../upstream/client.ts';
import type { AnswerHead, StreamedAnswer } from '../../upstream/streamed-answer.ts';
import type { Backoff, Trouble } from './backoff.ts';
import { concealRefusal, type SessionConcealment } from './concealment.ts';
import type { Batch, Profile, Sends } from './profile.ts';
import { isStreamed, wholeRefusal } from './refusal.ts';
import type { SessionClient } from './session-client.ts';
import { answered, isEventStream, judgeSend, serviceRefused, unreadable } from './verdict.ts';

export interface AttemptParts {
  readonly http: SessionClient;
  readonly codes: Profile['codes'];
  readonly concealment?: SessionConcealment | undefined;
  /** Made for a message when it is needed. */
  backoff(): Backoff;
}

/** A request with messages, and how it is to be sent. */
export interface Sending {
  readonly request: HttpRequest;
  readonly sends: Sends;
}

/** What became of a message: the service has it and said so, or it would not have it, and the session goes on. */
export type Outcome =
  | { readonly kind: 'accepted'; readonly answer: HttpAnswer | StreamedAnswer }
  | { readonly kind: 'refused'; readonly batch: Batch };

/** An attempt that brought no success, and what it says about the message. */
interface Setback extends Trouble {
  /** The service has certainly not acted on it. */
  readonly untouched: boolean;
  /** Its answer, if there was one. */
  readonly answer?: AnswerHead;
}

/**
 * Sends a request until the service has it. One that the service may have had is sent again only if the profile says that
 * it drops what it has had. Throws what ends the session: UPSTREAM_LOST or UPSTREAM_TIMEOUT (its fate is unknown), UPSTREAM_OUTAGE,
 * SERVICE_REFUSED, UPSTREAM_INVALID.
 */
export async function sendUntilTaken(
  sending: Sending,
  parts: AttemptParts,
  signal: AbortSignal,
): Promise<Outcome> {
  let backoff: Backoff | undefined;
  for (;;) {
    const outcome = await attempt(sending, parts, signal);
    if ('kind' in outcome) return outcome;
    if (!outcome.untouched && !sending.sends.resends) throw fateUnknown(outcome, parts);
    backoff ??= parts.backoff();
    await backoff.lose(outcome, signal);
  }
}

async function attempt(
  sending: Sending,
  parts: AttemptParts,
  signal: AbortSignal,
): Promise<Setback | Outcome> {
  let answer: HttpAnswer | StreamedAnswer;
  try {
    answer = await ask(sending, parts, signal);
  } catch (cause) {
    return setbackOf(cause);
  }
  const verdict = judgeSend(answer, parts.codes);
  if (verdict === 'done') return { kind: 'accepted', answer };
  if (verdict === 'final' && !isStreamed(answer)) return refusalOf(answer, sending, parts);
  const retryAfter = answer.headers['retry-after'];
  return { cause: new Error(answered(answer.status)), retryAfter, untouched: verdict === 'refused', answer };
}

/** Only the answer of a service that has the message is a stream; any other is read whole. */
async function ask(
  { request, sends }: Sending,
  { http, codes }: AttemptParts,
  signal: AbortSignal,
): Promise<HttpAnswer | StreamedAnswer> {
  const { timeoutMs, answerSize, reader } = sends;
  if (reader === undefined) return http.exchange(request, { signal, timeoutMs, bodySize: answerSize });
  const answer = await http.stream(request, { signal, silenceMs: timeoutMs });
  if (judgeSend(answer, codes) === 'done') return answer;
  return wholeRefusal(answer, { timeoutMs, bodySize: answerSize === 'ignored' ? 0 : answerSize });
}

/** Throws what a second try would not change. */
function setbackOf(thrown: unknown): Setback {
  if (!(thrown instanceof ExchangeFailed)) throw asGatewayError(thrown);
  // The service has had the message, and answers it the same again.
  if (thrown.isFinal) throw unreadable(thrown);
  return { cause: thrown, untouched: thrown.unsent };
}

/** The profile may have something to say to the client: in place of the end (of a 4xx for which there is no close code), or of its own end. */
function refusalOf(answer: HttpAnswer, { sends }: Sending, { codes, concealment }: AttemptParts): Outcome {
  const { status } = answer;
  const end = serviceRefused(answer, 'a message', codes);
  const shown = concealRefusal(answer, end.message, concealment);
  const isClients = status >= 400 && status < 500 && codes?.[status] === undefined;
  const batch = isClients ? sends.refused?.(shown) : sends.failed?.(shown);
  if (batch === undefined) throw end;
  return { kind: 'refused', batch };
}

function fateUnknown({ cause, answer }: Setback, { codes }: AttemptParts): GatewayError {
  const detail = 'a message may or may not have arrived';
  if (answer !== undefined)
    return serviceRefused(answer, 'a message', codes, `${answered(answer.status)}: ${detail}`);
  if (cause instanceof ExchangeFailed && isEventStream(cause.head))
    return new GatewayError('UPSTREAM_INVALID', {
      cause,
      detail: `${detail}: the answer is an event stream that did not end, and \`response: sse\` takes it as it comes`,
    });
  const isLate = cause instanceof ExchangeFailed && cause.kind === 'timeout';
  return new GatewayError(isLate ? 'UPSTREAM_TIMEOUT' : 'UPSTREAM_LOST', { cause, detail });
}
