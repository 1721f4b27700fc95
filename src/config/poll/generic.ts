import { z } from 'zod';
import { duration } from '../fields.ts';
import { type Complain, commonFields, complainTo, PROFILE } from './common.ts';
import { closeRequest, openRequest, pollRequest, sendRequest } from './requests.ts';

/** An HTTP service that configuration alone describes. */

/** `json:/a/b` is a JSON pointer (RFC 6901) into the body, `header:NAME` a response header. */
const source = z
  .string()
  .regex(/^(json:(\/[^/]*)*|header:[!#$%&'*+.^_`|~0-9A-Za-z-]+)$/, 'expected json:/pointer or header:NAME')
  .transform(
    (text) =>
      ({
        from: text.startsWith('json:') ? 'json' : 'header',
        name: text.slice(text.indexOf(':') + 1),
      }) as const,
  );
const destination = z
  .string()
  .regex(/^(query|header):[!#$%&'*+.^_`|~0-9A-Za-z-]+$/, 'expected query:NAME or header:NAME')
  .transform(
    (text) =>
      ({
        to: text.startsWith('query:') ? 'query' : 'header',
        name: text.slice(text.indexOf(':') + 1),
      }) as const,
  );
const pointer = z
  .string()
  .regex(/^json:(\/[^/]*)*$/, 'expected json:/pointer')
  .transform((text) => text.slice(5));

const shape = z.strictObject({
  profile: z.literal('generic').optional().describe(PROFILE),
  ...commonFields,
  open: z
    .strictObject({
      ...openRequest,
      session: source
        .optional()
        .describe('Where the answer names the session: {session} in later paths; absent: it does not'),
      cursor: source.optional().describe('Where the answer holds the first cursor; absent: it does not'),
    })
    .optional()
    .describe('A request before the 101; a failure is relayed as the answer to the upgrade; absent: none'),
  poll: z
    .strictObject({
      ...pollRequest,
      hold: duration
        .prefault('25s')
        .describe('How long the service may hold a poll; {hold} in seconds, {hold_ms} in milliseconds'),
      margin: duration.prefault('5s').describe('Patience beyond `hold`'),
    })
    .optional()
    .describe(
      'The request that fetches messages, again and again; absent: only answers to sends are messages',
    ),
  cursor: z
    .strictObject({
      from: source.describe('Where a response holds the next cursor'),
      send: destination
        .optional()
        .describe('How the next poll carries it: query:NAME or header:NAME; absent: as {cursor} in its path'),
      initial: z.string().optional().describe('The first poll’s cursor; absent: the first poll has none'),
    })
    .optional()
    .describe(
      'Where the next poll goes on: with it a cut poll is repeated without loss; absent: a message may be lost',
    ),
  messages: z
    .strictObject({
      framing: z
        .enum(['body', 'json-array', 'ndjson'])
        .default('body')
        .describe('The whole body is one message, or each item of a JSON array, or each line'),
      at: pointer.optional().describe('json-array: where the array stands; absent: it is the whole body'),
      item: pointer
        .optional()
        .describe('json-array, ndjson: what of each item is the message; absent: all of it'),
    })
    .prefault({})
    .describe('How an answer holds messages'),
  send: sendRequest,
  close: closeRequest,
});

export type GenericConfig = z.output<typeof shape>;

export const genericService = shape.superRefine((config, context) =>
  genericRules(config, complainTo(context)),
);

/** Keys that need one another: without, they would do nothing, or poll from the same place for ever. */
function genericRules({ open, poll, send, cursor, messages }: GenericConfig, complain: Complain): void {
  if (open?.cursor !== undefined && cursor === undefined)
    complain(['open', 'cursor'], 'has no effect without `cursor`');
  if (cursor !== undefined && poll === undefined) complain(['cursor'], 'has no effect without `poll`');
  if (poll === undefined && send === undefined) complain(['poll'], 'is required unless there is `send`');
  if (cursor !== undefined && cursor.send === undefined && !poll?.path.includes('{cursor}'))
    complain(['cursor', 'send'], 'is required unless the path of `poll` holds {cursor}');
  if (messages.at !== undefined && messages.framing !== 'json-array')
    complain(['messages', 'at'], 'has an effect with json-array only');
  if (messages.item !== undefined && messages.framing === 'body')
    complain(['messages', 'item'], 'has no effect with body');
}
