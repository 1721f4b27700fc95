import { z } from 'zod';
import { oneOrMany } from '../fields.ts';
import type { Complain } from './common.ts';

/** How an answer, or a stream, holds messages. */

export const jsonPointer = z
  .string()
  .regex(/^json:(\/[^/]*)*$/, 'expected json:/pointer')
  .transform((text) => text.slice(5));

const shape = z.strictObject({
  framing: z
    .enum(['body', 'json', 'json-array', 'ndjson', 'sse', 'lines'])
    .default('body')
    .describe(
      'The whole body is one message, or what stands at a place of it, or each item of a JSON array, each line of JSON, each server-sent event, or each line',
    ),
  type: z
    .enum(['auto', 'text', 'binary'])
    .optional()
    .describe(
      'What messages are to the client; absent: auto, text but for a body whose Content-Type is none of text',
    ),
  at: jsonPointer
    .optional()
    .describe('json, json-array: where the message or the array stands; absent: it is the whole body'),
  item: jsonPointer
    .optional()
    .describe('json-array, ndjson, sse: what of each item is the message; absent: all of it'),
  sse: z
    .enum(['data', 'event'])
    .optional()
    .describe('sse: the message is the data of an event, or JSON of its event, id and data; absent: data'),
  events: oneOrMany(z.string().min(1))
    .optional()
    .describe(
      'sse: names of the events that are messages (one without a name is `message`); the others only move the cursor, or end the feed; absent: all are',
    ),
});

export type MessagesConfig = z.output<typeof shape>;

export const messages = shape.prefault({}).describe('How an answer holds messages');

/** Its answers are lists of items, each with more to it than the message. */
export function hasItems({ framing }: Pick<MessagesConfig, 'framing'>): boolean {
  return framing === 'json-array' || framing === 'ndjson' || framing === 'sse';
}

/** Keys that do nothing with this framing. */
export function messagesRules({ framing, at, item, sse, events }: MessagesConfig, complain: Complain): void {
  if (at !== undefined && framing !== 'json' && framing !== 'json-array')
    complain(['messages', 'at'], 'has an effect with json and json-array only');
  if (item !== undefined && !hasItems({ framing }))
    complain(['messages', 'item'], `has no effect with ${framing}`);
  if (sse !== undefined && framing !== 'sse') complain(['messages', 'sse'], 'has an effect with sse only');
  if (events !== undefined && framing !== 'sse')
    complain(['messages', 'events'], 'has an effect with sse only');
  if (sse === 'event' && item !== undefined)
    complain(['messages', 'item'], 'has no effect where the whole event is the message');
}
