import { GatewayError } from '../../errors.ts';
import { ExchangeFailed } from '../../upstream/client.ts';
import type { StreamedAnswer } from '../../upstream/streamed-answer.ts';
import type { Outcome } from './attempt.ts';
import { bringEvents } from './events.ts';
import { type Batch, type EventReader, NOTHING, type Sends } from './profile.ts';
import { isStreamed } from './refusal.ts';
import { unreadable } from './verdict.ts';

type Take = (batch: Batch) => Promise<boolean>;

/**
 * Brings to the client what the service has answered to a message. Resolves when the client has it. Throws what ends the
 * session: UPSTREAM_INVALID, and UPSTREAM_LOST or UPSTREAM_TIMEOUT where a streamed answer does not come to its end.
 */
export async function bringReply(outcome: Outcome, { sent, reader }: Sends, take: Take): Promise<void> {
  if (outcome.kind === 'refused') {
    await take(outcome.batch);
    return;
  }
  const { answer } = outcome;
  if (!isStreamed(answer)) await take(sent?.(answer) ?? NOTHING);
  else if (reader !== undefined) await bringStream(answer, reader(answer), take);
}

async function bringStream({ body }: StreamedAnswer, reader: EventReader, take: Take): Promise<void> {
  try {
    await bringEvents(body, reader, take);
  } catch (thrown) {
    if (!(thrown instanceof ExchangeFailed)) throw thrown;
    if (thrown.isFinal) throw unreadable(thrown);
    const code = thrown.kind === 'timeout' ? 'UPSTREAM_TIMEOUT' : 'UPSTREAM_LOST';
    throw new GatewayError(code, { cause: thrown, detail: 'the answer to a message was cut' });
  }
}
