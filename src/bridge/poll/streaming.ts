import { ExchangeFailed } from '../../upstream/client.ts';
import type { StreamedAnswer } from '../../upstream/streamed-answer.ts';
import { bringEvents, Yield } from './events.ts';
import type { Streams } from './profile.ts';
import { afterFailure, afterRefusal, isNothing, type ReceivingParts } from './receiving.ts';
import { wholeRefusal } from './refusal.ts';
import { judgePoll, unreadable } from './verdict.ts';

export interface StreamingParts extends ReceivingParts {
  readonly receives: Streams;
}

/** A stream that lasted for less was hardly one: its messages, if no cursor has moved behind them, may be the same again. */
const HARDLY_MS = 1_000;

/**
 * Has the service stream its messages until the signal aborts or the session is over, and asks anew where a stream ends, is
 * cut or falls silent. Only one that has made progress is followed at once, unless the service asks for a wait. Throws what
 * ends the session, as polling does.
 */
export async function keepStreaming(parts: StreamingParts, signal: AbortSignal): Promise<void> {
  const { backoff, clock } = parts;
  let retryMs = 0;
  while (!signal.aborted) {
    const askedAt = clock.now();
    const brought = await streamOnce(parts, signal);
    if (brought === undefined) continue;
    if (brought.isOver) return;
    retryMs = brought.retryMs ?? retryMs;
    const spent = clock.now() - askedAt;
    let pauseMs = Math.max(brought.waitMs, retryMs);
    if (isProgress(brought, spent)) backoff.restore();
    else pauseMs = Math.max(pauseMs, backoff.idle(spent));
    await backoff.wait(pauseMs, signal);
  }
}

function isProgress({ messages, hasMoved }: Yield, spentMs: number): boolean {
  return messages > 0 && (hasMoved || spentMs >= HARDLY_MS);
}

/** Undefined if there was no stream; the wait before the next try is then over. */
async function streamOnce(parts: StreamingParts, signal: AbortSignal): Promise<Yield | undefined> {
  const { http, receives, codes } = parts;
  const { silenceMs } = receives;
  let answer: StreamedAnswer;
  try {
    answer = await http.stream(receives.poll(), { signal, silenceMs });
  } catch (thrown) {
    if (isNothing(thrown, receives)) return new Yield();
    await afterFailure(thrown, parts, signal);
    return undefined;
  }
  if (judgePoll(answer, codes) === 'done') return readStream(answer, parts);
  const refusal = await wholeRefusal(answer, { timeoutMs: silenceMs, bodySize: receives.answerSize });
  await afterRefusal(refusal, parts, signal);
  return undefined;
}

/** A stream that is cut or falls silent has ended: what it brought until then counts. */
async function readStream(answer: StreamedAnswer, { receives, take }: StreamingParts): Promise<Yield> {
  const brought = new Yield();
  try {
    await bringEvents(answer.body, receives.reader(answer), take, brought);
  } catch (thrown) {
    if (!(thrown instanceof ExchangeFailed)) throw thrown;
    if (thrown.isFinal) throw unreadable(thrown);
  }
  return brought;
}
