import { asGatewayError, GatewayError } from '../../errors.ts';
import { ExchangeFailed, type HttpAnswer } from '../../upstream/client.ts';
import type { Backoff, Clock } from './backoff.ts';
import type { Batch, Polls, Profile } from './profile.ts';
import type { SessionClient } from './session-client.ts';
import { answered, judgePoll, serviceRefused, unreadable } from './verdict.ts';

/** What polls and streams have in common: how they bring messages on, and what they do when none came. */
export interface ReceivingParts {
  readonly http: SessionClient;
  readonly codes: Profile['codes'];
  readonly backoff: Backoff;
  readonly clock: Clock;
  /**
   * Brings a batch to the client and commits it. Resolves once the client has its messages; with false if nothing more is
   * to come: there is no client any more, or the batch was the end.
   */
  take(batch: Batch): Promise<boolean>;
}

interface Failing extends Pick<ReceivingParts, 'codes' | 'backoff'> {
  readonly receives: Pick<Polls, 'repeats' | 'resets'>;
}

/** Our own deadline, on a service that had the request: it has nothing, and may hold it for as long as it likes. */
export function isNothing(thrown: unknown, { repeats }: Pick<Polls, 'repeats'>): thrown is ExchangeFailed {
  return repeats && thrown instanceof ExchangeFailed && thrown.kind === 'timeout' && !thrown.unsent;
}

/**
 * Waits before the next try behind a request that brought no answer. Throws what ends the session: UPSTREAM_OUTAGE, or
 * UPSTREAM_LOST or UPSTREAM_TIMEOUT where there is no next try, or UPSTREAM_INVALID.
 */
export async function afterFailure(
  thrown: unknown,
  { receives, backoff }: Failing,
  signal: AbortSignal,
): Promise<void> {
  const cause = worthAnotherTry(thrown);
  if (receives.repeats) return backoff.lose({ cause }, signal);
  throw new GatewayError(cause.kind === 'timeout' ? 'UPSTREAM_TIMEOUT' : 'UPSTREAM_LOST', { cause });
}

/** The same behind an answer that is none of messages. Throws SERVICE_REFUSED or UPSTREAM_OUTAGE. */
export async function afterRefusal(
  answer: HttpAnswer,
  { receives, codes, backoff }: Failing,
  signal: AbortSignal,
): Promise<void> {
  if (receives.resets?.(answer)) return backoff.wait(backoff.idle(0), signal);
  if (judgePoll(answer, codes) === 'final' || !receives.repeats)
    throw serviceRefused(answer, 'a poll', codes);
  const cause = new Error(answered(answer.status));
  await backoff.lose({ cause, retryAfter: answer.headers['retry-after'] }, signal);
}

/** A cut or late request may be repeated; one whose answer cannot be read would be so again. */
function worthAnotherTry(thrown: unknown): ExchangeFailed {
  if (!(thrown instanceof ExchangeFailed)) throw asGatewayError(thrown);
  if (thrown.isFinal) throw unreadable(thrown);
  return thrown;
}
