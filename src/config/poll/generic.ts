import { z } from 'zod';
import { ack, type Complain, commonFields, complainTo, PROFILE } from './common.ts';
import { confirm, confirmRules } from './confirm.ts';
import { answerSource, cursor, cursorRules } from './cursor.ts';
import { messages, messagesRules } from './messages.ts';
import { poll, pollRules } from './polls.ts';
import { closeRequest, OPEN, openRequest, sendRequest } from './requests.ts';
import { sendRules } from './send-rules.ts';

/** An HTTP service that configuration alone describes. */

const shape = z.strictObject({
  profile: z.literal('generic').optional().describe(PROFILE),
  ...commonFields,
  open: z
    .strictObject({
      ...openRequest,
      cursor: answerSource
        .optional()
        .describe('Where the answer holds the first cursor, that of the first entry; absent: it does not'),
    })
    .optional()
    .describe(OPEN),
  poll,
  cursor,
  confirm,
  ack,
  messages,
  send: sendRequest,
  close: closeRequest,
});

export type GenericConfig = z.output<typeof shape>;

export const genericService = shape.superRefine((config, context) =>
  genericRules(config, complainTo(context)),
);

/** Keys that need one another: without, they would do nothing, or poll from the same place for ever. */
function genericRules(config: GenericConfig, complain: Complain): void {
  const { open, poll, send, cursor, confirm, messages, ack } = config;
  if (open?.cursor !== undefined && cursor === undefined)
    complain(['open', 'cursor'], 'has no effect without `cursor`');
  if (cursor !== undefined && poll === undefined) complain(['cursor'], 'has no effect without `poll`');
  if (ack !== undefined && cursor === undefined && confirm === undefined)
    complain(['ack'], 'has no effect without `cursor` or `confirm`');
  if (poll === undefined && send === undefined)
    complain(['poll'], 'is required unless there is `send`; write poll: { path: /events }');
  messagesRules(messages, complain);
  cursorRules({ cursor, poll, messages }, complain);
  confirmRules(config, complain);
  if (poll !== undefined) pollRules(poll, messages, complain);
  if (send !== undefined) sendRules(send, messages, (path, message) => complain(['send', ...path], message));
}
