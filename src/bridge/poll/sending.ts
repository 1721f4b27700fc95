import { asGatewayError, GatewayError } from '../../errors.ts';
import { ExchangeFailed, type HttpAnswer, type HttpRequest } from '../../upstream/client.ts';
import type { Backoff, Trouble } from './backoff.ts';
import type { Outbox } from './outbox.ts';
import type { Profile } from './profile.ts';
import type { SessionClient } from './session-client.ts';
import { answered, judgeSend } from './verdict.ts';

export interface SendingParts {
  readonly exchange: SessionClient;
  readonly profile: Profile;
  readonly backoff: Backoff;
  /** Names the session in the Idempotency-Key of its messages. */
  readonly connection: string;
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
    const request = parts.profile.send(message);
    if (request === undefined) throw new GatewayError('UNSUPPORTED_DATA');
    const key = { 'idempotency-key': `${parts.connection}:${number}` };
    await sendOut(parts, { ...request, headers: { ...request.headers, ...key } }, signal);
  }
}

/** Resolves when the service has the message. */
async function sendOut(parts: SendingParts, request: HttpRequest, signal: AbortSignal): Promise<void> {
  const { profile, backoff } = parts;
  for (;;) {
    const setback = await attempt(parts, request, signal);
    if (setback === undefined) break;
    if (!setback.untouched && !profile.resends) {
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
  { exchange, profile }: SendingParts,
  request: HttpRequest,
  signal: AbortSignal,
): Promise<Setback | undefined> {
  let answer: HttpAnswer;
  try {
    answer = await exchange(request, { signal, timeoutMs: profile.sendMs, bodySize: 'ignored' });
  } catch (cause) {
    if (!(cause instanceof ExchangeFailed)) throw asGatewayError(cause);
    return { cause, untouched: cause.unsent };
  }
  const verdict = judgeSend(answer);
  if (verdict === 'done') return undefined;
  const retryAfter = answer.headers['retry-after'];
  return { cause: new Error(answered(answer.status)), retryAfter, untouched: verdict === 'refused' };
}
