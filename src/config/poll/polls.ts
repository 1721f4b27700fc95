import { z } from 'zod';
import { duration } from '../fields.ts';
import type { Complain } from './common.ts';
import { answerSource } from './cursor.ts';
import { end, endRules } from './end.ts';
import type { MessagesConfig } from './messages.ts';
import { pollRequest } from './requests.ts';

/** The request that fetches messages. */

const shape = z.strictObject({
  ...pollRequest,
  mode: z
    .enum(['answers', 'stream'])
    .default('answers')
    .describe('Each poll is answered by what there is, or by a body that goes on as messages come'),
  hold: duration
    .prefault('25s')
    .describe('How long the service may hold a poll; {hold} in seconds, {hold_ms} in milliseconds'),
  margin: duration.optional().describe('Patience beyond `hold`; absent: 5s'),
  silence: duration
    .optional()
    .describe('stream: without a byte for so long it is asked for anew; absent: 60s'),
  backoff: answerSource
    .optional()
    .describe('Where an answer says how many seconds the service wants to be left alone; absent: nowhere'),
  end,
});

export type PollsConfig = z.output<typeof shape>;

export const poll = shape
  .optional()
  .describe('The request that fetches messages, again and again; absent: only answers to sends are messages');

/** Keys that do nothing in this mode. */
export function pollRules(
  { mode, margin, silence, backoff, end }: PollsConfig,
  messages: MessagesConfig,
  complain: Complain,
): void {
  const { framing } = messages;
  if (mode === 'answers') {
    if (silence !== undefined) complain(['poll', 'silence'], 'has an effect with mode: stream only');
    return;
  }
  if (!['sse', 'ndjson', 'lines'].includes(framing))
    complain(
      ['messages', 'framing'],
      `a stream is sse, ndjson or lines; ${framing} has its messages at the end`,
    );
  endRules(end, messages, complain);
  if (margin !== undefined)
    complain(['poll', 'margin'], 'has no effect with mode: stream; `silence` is its patience');
  if (backoff !== undefined)
    complain(
      ['poll', 'backoff'],
      'has no effect with mode: stream, where `retry:` of an event stream says it',
    );
}
