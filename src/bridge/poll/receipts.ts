import { asGatewayError } from '../../errors.ts';
import { ExchangeFailed, type HttpAnswer } from '../../upstream/client.ts';
import type { AttemptParts } from './attempt.ts';
import type { Backoff, Trouble } from './backoff.ts';
import type { Receipt } from './profile.ts';
import { answered, judgeSend, serviceRefused, unreadable } from './verdict.ts';

const LEFT = 'the messages that the client has may come again';

/**
 * Sends a receipt until the service takes it: whatever became of one, another changes nothing. Throws what ends the session:
 * UPSTREAM_OUTAGE, SERVICE_REFUSED for what the service will never take, or UPSTREAM_INVALID.
 */
export async function sendReceipt(receipt: Receipt, parts: AttemptParts, signal: AbortSignal): Promise<void> {
  let backoff: Backoff | undefined;
  for (;;) {
    const trouble = await attempt(receipt, parts, signal);
    if (trouble === undefined) return;
    backoff ??= parts.backoff();
    await backoff.lose(trouble, signal);
  }
}

/** Undefined if the service has it. */
async function attempt(
  { request, timeoutMs, answerSize, isTaken }: Receipt,
  { http, codes }: AttemptParts,
  signal: AbortSignal,
): Promise<Trouble | undefined> {
  let answer: HttpAnswer;
  try {
    answer = await http.exchange(request, { signal, timeoutMs, bodySize: answerSize });
  } catch (cause) {
    if (!(cause instanceof ExchangeFailed)) throw asGatewayError(cause);
    if (cause.isFinal) throw unreadable(cause);
    return { cause: new Error(`a confirmation failed: ${LEFT}`, { cause }) };
  }
  const verdict = judgeSend(answer, codes);
  if (verdict === 'done' && isTaken?.(answer) !== false) return undefined;
  if (verdict === 'done') return { cause: new Error(`a confirmation was not taken whole: ${LEFT}`) };
  const detail = `${answered(answer.status)} to a confirmation: ${LEFT}`;
  if (verdict === 'final') throw serviceRefused(answer, 'a confirmation', codes, detail);
  return { cause: new Error(detail), retryAfter: answer.headers['retry-after'] };
}
