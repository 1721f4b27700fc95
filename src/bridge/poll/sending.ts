import { asGatewayError, GatewayError } from '../../errors.ts';
import { ExchangeFailed, type HttpAnswer, type HttpRequest } from '../../upstream/client.ts';
import type { Backoff, Trouble } from './backoff.ts';
import type { Outbox } from './outbox.ts';
import { type Batch, type Message, NOTHING, type Sends } from './profile.ts';
import type { SessionClient } from './session-client.ts';
import { answered, judgeSend, unreadable } from './verdict.ts';

export interface SendingParts {
  readonly http: SessionClient;
  /** Undefined: the service takes no messages. */
  readonly sends: Sends | undefined;
  readonly backoff: Backoff;
  /** Names the session in the Idempotency-Key of its messages. */
  readonly connection: string;
  /** Resolves when the client's socket has the messages; with false if there is no client any more. */
  deliver(messages: readonly Message[]): Promise<boolean>;
}

/** An attempt that brought no success, and what it says about the message. */
interface Setback extends Trouble {
  /** The service has certainly not acted on it. */
  readonly untouched: boolean;
}

/**
 * Sends the messages of the outbox one after the other, each numbered in an Idempotency-Key, until the outbox ends.
 * A message that the service may have had is sent again only if the profile says that it drops what it has had.
 * Throws what ends the session: UPSTREAM_LOST (the fate of a message is unknown), UPSTREAM_OUTAGE, UNSUPPORTED_DATA,
 * MESSAGE_TOO_BIG, UPSTREAM_INVALID, TOKEN_INVALID, FORBIDDEN.
 */
export async function keepSending(parts: SendingParts, outbox: Outbox, signal: AbortSignal): Promise<void> {
  for (let number = 1; ; number++) {
    const message = await outbox.next();
    if (message === undefined) return;
    const { sends } = parts;
    if (sends === undefined) throw new GatewayError('UNSUPPORTED_DATA');
    const request = sends.send([message], number);
    if (request === undefined) continue;
    const key = { 'idempotency-key': `${parts.connection}:${number}` };
    await sendOut({ ...parts, sends }, { ...request, headers: { ...request.headers, ...key } }, signal);
  }
}

type Attempting = SendingParts & { readonly sends: Sends };

/** Resolves when the service has the message, and the client what it answered. */
async function sendOut(parts: Attempting, request: HttpRequest, signal: AbortSignal): Promise<void> {
  const { sends, backoff, deliver } = parts;
  for (;;) {
    const outcome = await attempt(parts, request, signal);
    if ('messages' in outcome) {
      await deliver(outcome.messages);
      break;
    }
    const setback = outcome;
    if (!setback.untouched && !sends.resends) {
      throw new GatewayError('UPSTREAM_LOST', {
        cause: setback.cause,
        detail: 'a message may or may not have arrived',
      });
    }
    await backoff.lose(setback, signal);
  }
  backoff.restore();
}

async function attempt(
  { http, sends }: Attempting,
  request: HttpRequest,
  signal: AbortSignal,
): Promise<Setback | Batch> {
  let answer: HttpAnswer;
  try {
    answer = await http.exchange(request, { signal, timeoutMs: sends.timeoutMs, bodySize: sends.answerSize });
  } catch (cause) {
    if (!(cause instanceof ExchangeFailed)) throw asGatewayError(cause);
    if (cause.isFinal) throw unreadable(cause);
    return { cause, untouched: cause.unsent };
  }
  const verdict = judgeSend(answer);
  if (verdict === 'done') return sends.sent?.(answer) ?? NOTHING;
  const retryAfter = answer.headers['retry-after'];
  return { cause: new Error(answered(answer.status)), retryAfter, untouched: verdict === 'refused' };
}
