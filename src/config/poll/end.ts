import { z } from 'zod';
import { headerName, oneOrMany } from '../fields.ts';
import type { Complain } from './common.ts';
import { jsonValues } from './cursor.ts';
import type { MessagesConfig } from './messages.ts';

/** What says that a feed is over. */

const value = z.union([z.string(), z.number(), z.boolean()], 'expected a text, a number, true or false');

const shape = z
  .strictObject({
    status: z
      .array(
        z
          .int()
          .refine(
            (status) => (status >= 200 && status < 300) || status === 304 || status === 408,
            'expected a status of an answer that brings messages or nothing: 2xx, 304 or 408; `codes` is for others',
          ),
      )
      .min(1)
      .optional()
      .describe('Statuses of such an answer: 2xx, 304 or 408; absent: any of them'),
    header: z
      .record(headerName, value)
      .optional()
      .describe('Headers it has, and their whole values; absent: whatever it has'),
    json: jsonValues
      .optional()
      .describe('What stands in its body, or in the event, by JSON pointer; absent: anything'),
  })
  .refine(
    ({ status, header, json }) => status !== undefined || header !== undefined || json !== undefined,
    'says nothing of the answer: give status, header, json or several of them',
  );

export const end = oneOrMany(shape)
  .optional()
  .describe(
    'What answers, or events of a stream, say that there will be no more: the connection ends with 1000, behind their messages; absent: none does, but for the 204 of an event stream',
  );

export type EndConfig = NonNullable<z.output<typeof end>>;

/** An answer to `mode: stream` has many events, of which one is the last: what is said of the whole tells nothing. */
export function endRules(ends: EndConfig | undefined, { framing }: MessagesConfig, complain: Complain): void {
  // One that is refused has not been made a list.
  if (!Array.isArray(ends)) return;
  for (const [index, end] of (ends as EndConfig).entries()) {
    const fault = streamFault(end, framing);
    if (fault !== undefined) complain(ends.length === 1 ? ['poll', 'end'] : ['poll', 'end', index], fault);
  }
}

function streamFault(
  { json, status, header }: EndConfig[number],
  framing: MessagesConfig['framing'],
): string | undefined {
  if (json === undefined || status !== undefined || header !== undefined)
    return 'with mode: stream it is an event that says the end: give `json`, and nothing else';
  return framing === 'lines' ? 'there is no JSON in lines' : undefined;
}
