import { asGatewayError } from '../../errors.ts';
import { ExchangeFailed, type HttpAnswer } from '../../upstream/client.ts';
import type { Backoff, Clock } from './backoff.ts';
import type { Batch, Message, Polls } from './profile.ts';
import type { SessionClient } from './session-client.ts';
import { answered, judgePoll, unreadable } from './verdict.ts';

export interface PollingParts {
  readonly http: SessionClient;
  readonly polls: Polls;
  readonly backoff: Backoff;
  readonly clock: Clock;
  /** Resolves when the client's socket has the messages; with false if there is no client any more. */
  deliver(messages: readonly Message[]): Promise<boolean>;
}

/**
 * Polls until the signal aborts or the client is gone: one poll at a time, and the next only when the client has what
 * the last one brought. Throws what ends the session: UPSTREAM_OUTAGE, UPSTREAM_INVALID, UPSTREAM_LOST, TOKEN_INVALID,
 * FORBIDDEN.
 */
export async function keepPolling(parts: PollingParts, signal: AbortSignal): Promise<void> {
  const { backoff, clock, deliver } = parts;
  while (!signal.aborted) {
    const askedAt = clock.now();
    const batch = await pollOnce(parts, signal);
    if (batch === undefined) continue;
    const spent = clock.now() - askedAt;
    if (batch.messages.length > 0 && !(await deliver(batch.messages))) return;
    batch.commit();
    if (batch.messages.length > 0 || batch.cursor === 'moved') backoff.restore();
    else await backoff.idle(spent, signal);
  }
}

/** Undefined if the poll failed; the wait before the next one is then over. */
async function pollOnce(parts: PollingParts, signal: AbortSignal): Promise<Batch | undefined> {
  const { http, polls, backoff } = parts;
  const limits = { signal, timeoutMs: polls.holdMs + polls.marginMs, bodySize: polls.answerSize };
  let answer: HttpAnswer;
  try {
    answer = await http.exchange(polls.poll(), limits);
  } catch (cause) {
    await backoff.lose({ cause: worthAnotherTry(cause) }, signal);
    return undefined;
  }
  if (judgePoll(answer) === 'done') return polls.polled(answer);
  const cause = new Error(answered(answer.status));
  await backoff.lose({ cause, retryAfter: answer.headers['retry-after'] }, signal);
  return undefined;
}

/** A cut or late poll may be repeated; one whose answer cannot be read would be so again. */
function worthAnotherTry(thrown: unknown): ExchangeFailed {
  if (!(thrown instanceof ExchangeFailed)) throw asGatewayError(thrown);
  if (thrown.isFinal) throw unreadable(thrown);
  return thrown;
}
