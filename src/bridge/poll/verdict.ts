import { GatewayError } from '../../errors.ts';
import type { ExchangeFailed, HttpAnswer } from '../../upstream/client.ts';
import type { Profile } from './profile.ts';

/**
 * What the status of an answer in mid-session means:
 * - `done`: the request did what it should (a poll: 304 and 408 say that there was nothing).
 * - `refused`: the service says that it has not acted on it; it may be sent again.
 * - `unsure`: it may have been acted on.
 * - `final`: again it would be answered the same; the session is over, unless the profile knows better.
 */
export type Verdict = 'done' | 'refused' | 'unsure' | 'final';

type Codes = Profile['codes'];
type Head = Pick<HttpAnswer, 'status' | 'headers'>;

/** Nothing had changed, or nothing came in time: a poll that has brought nothing. */
const NOTHING_CAME: ReadonlySet<number> = new Set([304, 408]);
/** Too early, too many: it says itself that another time would do. */
const NOT_NOW: ReadonlySet<number> = new Set([425, 429]);

/** Judges the answer to a poll. A status that `codes` names is final. */
export function judgePoll({ status }: Head, codes: Codes): Verdict {
  if (codes?.[status] !== undefined) return 'final';
  if (isSuccess(status) || NOTHING_CAME.has(status)) return 'done';
  return NOT_NOW.has(status) || status >= 500 ? 'refused' : 'final';
}

/** Judges the answer to a message, in the same way. */
export function judgeSend({ status, headers }: Head, codes: Codes): Verdict {
  if (codes?.[status] !== undefined) return 'final';
  if (isSuccess(status)) return 'done';
  // A bare 503 also stands for a service that a proxy lost amid the request.
  const isInvited = status === 503 && headers['retry-after'] !== undefined;
  if (NOT_NOW.has(status) || isInvited) return 'refused';
  return status === 408 || status >= 500 ? 'unsure' : 'final';
}

export function isSuccess(status: number): boolean {
  return status >= 200 && status < 300;
}

/** Whether an answer is one of server-sent events (WHATWG HTML §9.2). */
export function isEventStream(head: Pick<HttpAnswer, 'headers'> | undefined): boolean {
  return /^text\/event-stream\s*(;|$)/i.test(head?.headers['content-type'] ?? '');
}

/** Close codes for statuses, where the profile has no other; the failure table's for the rest. */
const CLOSES: Readonly<Record<number, number>> = { 401: 3000, 403: 3003, 413: 1009, 415: 1003 };

/** The close code for a status; undefined for the failure table’s. */
export function closeFor(status: number, codes: Codes): number | undefined {
  return codes?.[status] ?? CLOSES[status];
}

/** The end of a session by the status of an answer; `asked` is what it was the answer to. */
export function serviceRefused(
  { status }: Head,
  asked: 'a poll' | 'a message' | 'a confirmation',
  codes: Codes,
  detail?: string,
): GatewayError {
  return new GatewayError('SERVICE_REFUSED', {
    close: closeFor(status, codes),
    sentence: `The service answered ${status} to ${asked}.`,
    detail: detail ?? `${answered(status)} to ${asked}${lookAt(status)}`,
  });
}

/** What is wrong with a request that is answered so, more often than not. */
function lookAt(status: number): string {
  if (status >= 300 && status < 400) return ': no redirect is followed';
  return LOOK_AT[status] ?? '';
}

const LOOK_AT: Readonly<Record<number, string>> = {
  401: ': see `headers`, and `credentials` of the upstream',
  403: ': see `headers`, and `credentials` of the upstream',
  404: ': see its `path`, and that of `target`',
  405: ': see its `method`',
};

/** For the log. */
export function answered(status: number): string {
  return `the upstream answered ${status}`;
}

/** What ends a session whose service answers what nobody can read, and would again. */
export function unreadable(cause: ExchangeFailed): GatewayError {
  const fault = cause.kind === 'too big' ? 'exceeds responseSize' : 'cannot be decoded';
  return new GatewayError('UPSTREAM_INVALID', { cause, detail: `an answer ${fault}` });
}
