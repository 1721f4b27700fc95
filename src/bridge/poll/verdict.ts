import { GatewayError } from '../../errors.ts';
import type { ExchangeFailed, HttpAnswer } from '../../upstream/client.ts';

/**
 * What the status of an answer in mid-session means:
 * - `done`: the request did what it should (a poll: 304 and 408 say that there was nothing).
 * - `refused`: the service says that it has not acted on it; it may be sent again.
 * - `unsure`: it may have been acted on.
 */
export type Verdict = 'done' | 'refused' | 'unsure';

/** Judges the answer to a poll. Throws where the session is over: TOKEN_INVALID, FORBIDDEN, UPSTREAM_LOST. */
export function judgePoll(answer: HttpAnswer): Verdict {
  const { status } = answer;
  if (isSuccess(status) || status === 304 || status === 408) return 'done';
  throwIfOver(status);
  return 'refused';
}

/**
 * Judges the answer to a message. Throws where the session is over, and where the service will not have the message:
 * MESSAGE_TOO_BIG, UNSUPPORTED_DATA, UPSTREAM_INVALID.
 */
export function judgeSend(answer: HttpAnswer): Verdict {
  const { status, headers } = answer;
  if (isSuccess(status)) return 'done';
  throwIfOver(status);
  // A bare 503 also stands for a service that a proxy lost amid the request.
  const invited = status === 503 && headers['retry-after'] !== undefined;
  if (status === 425 || status === 429 || invited) return 'refused';
  if (status === 408 || status >= 500) return 'unsure';
  throw new GatewayError(refusalOf(status), { detail: answered(status) });
}

function isSuccess(status: number): boolean {
  return status >= 200 && status < 300;
}

function throwIfOver(status: number): void {
  const detail = answered(status);
  if (status === 401) throw new GatewayError('TOKEN_INVALID', { detail });
  if (status === 403) throw new GatewayError('FORBIDDEN', { detail });
  if (status === 404 || status === 410) throw new GatewayError('UPSTREAM_LOST', { detail });
}

function refusalOf(status: number): 'MESSAGE_TOO_BIG' | 'UNSUPPORTED_DATA' | 'UPSTREAM_INVALID' {
  if (status === 413) return 'MESSAGE_TOO_BIG';
  return status === 415 ? 'UNSUPPORTED_DATA' : 'UPSTREAM_INVALID';
}

/** For the log. */
export function answered(status: number): string {
  return `the upstream answered ${status}`;
}

/** What ends a session whose service answers what nobody can read, and would again. */
export function unreadable(cause: ExchangeFailed): GatewayError {
  const fault = cause.kind === 'too big' ? 'exceeds responseSize' : 'cannot be decoded';
  return new GatewayError('UPSTREAM_INVALID', { cause, detail: `an answer ${fault}` });
}
