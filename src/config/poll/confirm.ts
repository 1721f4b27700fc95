import { z } from 'zod';
import { duration } from '../fields.ts';
import type { Complain } from './common.ts';
import { hasItems, jsonPointer, type MessagesConfig } from './messages.ts';
import type { PollsConfig } from './polls.ts';
import { METHOD, method, requestFields } from './requests.ts';

/** The request that tells the service which of its messages the client has, for services that give them again otherwise. */

const shape = z.strictObject({
  method: method.default('POST').describe(METHOD),
  ...requestFields,
  body: z
    .string()
    .describe(
      'Its body, JSON with placeholders: {items} is what `item` makes of each item, with commas between',
    ),
  item: z
    .string()
    .describe(
      'What is said of each item of the answer, JSON in which {item./pointer} is a part of that item',
    ),
  failed: jsonPointer
    .optional()
    .describe(
      'Where a 2xx answer lists what was not taken after all, which is then repeated with the rest; absent: all is taken',
    ),
  timeout: duration.prefault('30s').describe('Without an answer by then it has failed'),
});

export type ConfirmConfig = z.output<typeof shape>;

export const confirm = shape
  .optional()
  .describe(
    'A request behind the messages of each answer, once the client has them, or has said so (`ack: pong`), such as the deletion from a queue. It is repeated until the service answers 2xx; what it does not take may come again; absent: none',
  );

interface Around {
  readonly confirm?: ConfirmConfig | undefined;
  readonly cursor?: unknown;
  readonly ack?: 'written' | 'pong' | undefined;
  readonly linger?: unknown;
  readonly poll?: PollsConfig | undefined;
  readonly messages: MessagesConfig;
}

/** What a confirmation needs to be one. */
export function confirmRules(around: Around, complain: Complain): void {
  const { confirm, cursor, ack, linger, poll, messages } = around;
  if (confirm === undefined) return;
  if (poll?.mode !== 'answers')
    complain(['confirm'], 'has an effect with `poll` only, and not with its mode: stream');
  if (cursor !== undefined)
    complain(['confirm'], 'does not go with `cursor`, which says the same: remove one of them');
  if (linger !== undefined && ack !== 'pong')
    complain(
      ['confirm'],
      'with `linger` needs `ack: pong`: else it is said of messages that are kept for a client that may not come back',
    );
  if (!hasItems(messages))
    complain(['confirm'], `there are no items in ${messages.framing}: see messages.framing`);
  if (!confirm.body.includes('{items}'))
    complain(
      ['confirm', 'body'],
      'says nothing of the messages: put {items} into it, as in {"ids": [{items}]}',
    );
}
