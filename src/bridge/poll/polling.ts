import { GatewayError } from '../../errors.ts';
import type { ExchangeFailed, HttpAnswer } from '../../upstream/client.ts';
import { type Batch, NOTHING, type Polls } from './profile.ts';
import { afterFailure, afterRefusal, isNothing, type ReceivingParts } from './receiving.ts';
import { isEventStream, judgePoll } from './verdict.ts';

export interface PollingParts extends ReceivingParts {
  readonly receives: Polls;
}

/**
 * Polls until the signal aborts or the session is over: one poll at a time, and the next only when the client has what
 * the last one brought. Only progress is followed at once: messages, and a cursor that has moved behind them. Throws what
 * ends the session: SERVICE_REFUSED, UPSTREAM_OUTAGE, UPSTREAM_INVALID; UPSTREAM_LOST or UPSTREAM_TIMEOUT where polls may
 * not be repeated.
 */
export async function keepPolling(parts: PollingParts, signal: AbortSignal): Promise<void> {
  const { backoff, clock, take } = parts;
  while (!signal.aborted) {
    const askedAt = clock.now();
    const batch = await pollOnce(parts, signal);
    if (batch === undefined) continue;
    const spent = clock.now() - askedAt;
    checkProgress(batch);
    if (!(await take(batch))) return;
    let pauseMs = batch.waitMs ?? 0;
    if (batch.messages.length > 0) backoff.restore();
    else pauseMs = Math.max(pauseMs, backoff.idle(spent));
    await backoff.wait(pauseMs, signal);
  }
}

/** The same cursor again would bring the same messages again, for ever: not even the first of them are delivered. */
function checkProgress({ messages, cursor }: Batch): void {
  if (messages.length === 0 || cursor !== 'unmoved') return;
  throw new GatewayError('UPSTREAM_INVALID', {
    sentence: 'The service sent messages, but the cursor did not move.',
    detail: 'an answer holds messages, and the cursor that was sent',
  });
}

/** An event stream brings nothing to whoever waits for its end, be it asked for again and again. */
function checkEnds({ head }: ExchangeFailed): void {
  if (!isEventStream(head)) return;
  throw new GatewayError('UPSTREAM_INVALID', {
    sentence: 'The service answered a poll with a stream.',
    detail:
      'the answer is an event stream that did not end: `poll.mode: stream` takes its messages as they come',
  });
}

/** Undefined if the poll failed or the cursor was reset; the wait before the next one is then over. */
async function pollOnce(parts: PollingParts, signal: AbortSignal): Promise<Batch | undefined> {
  const { http, receives, codes } = parts;
  const { holdMs, marginMs, answerSize } = receives;
  let answer: HttpAnswer;
  try {
    answer = await http.exchange(receives.poll(), {
      signal,
      timeoutMs: holdMs + marginMs,
      bodySize: answerSize,
    });
  } catch (thrown) {
    if (isNothing(thrown, receives)) {
      checkEnds(thrown);
      return NOTHING;
    }
    await afterFailure(thrown, parts, signal);
    return undefined;
  }
  if (judgePoll(answer, codes) === 'done') return receives.polled(answer);
  await afterRefusal(answer, parts, signal);
  return undefined;
}
