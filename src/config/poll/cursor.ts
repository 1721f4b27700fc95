import { z } from 'zod';
import { oneOrMany } from '../fields.ts';
import type { Complain } from './common.ts';
import { headerFault, type RouteFacts } from './headers.ts';
import { hasItems, type MessagesConfig } from './messages.ts';
import type { PollsConfig } from './polls.ts';
import { report, textFault } from './templates.ts';

/** Where the next poll goes on: what is read from an answer, and how it is sent. */

const TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
const POINTER = '(\\/[^/]*)*';

/** A text of two halves with a colon between. */
function pairOf<First extends string>(pattern: string, form: string) {
  return z
    .string()
    .regex(new RegExp(`^(${pattern})$`), `expected ${form}`)
    .transform((text) => ({
      from: text.slice(0, text.indexOf(':')) as First,
      name: text.slice(text.indexOf(':') + 1),
    }));
}

/** `json:/a/b` is a JSON pointer (RFC 6901) into the body, `header:NAME` a response header. */
export const answerSource = pairOf<'json' | 'header'>(
  `json:${POINTER}|header:${TOKEN}`,
  'json:/pointer or header:NAME',
);

/** Also `item:/a/b`, a pointer into each item of the answer or event of the stream, and `event:id`. */
const source = pairOf<'json' | 'header' | 'item' | 'event'>(
  `json:${POINTER}|header:${TOKEN}|item:${POINTER}|event:id`,
  'json:/pointer, header:NAME, item:/pointer or event:id',
);

const destination = pairOf<'query' | 'header'>(
  `(query|header):${TOKEN}`,
  'query:NAME or header:NAME',
).transform(({ from, name }) => ({ to: from, name }));

const scalar = z.union([z.string(), z.number(), z.boolean(), z.null()]);

/** Values by where they stand in a body. */
export const jsonValues = z.record(
  z.string().regex(new RegExp(`^${POINTER}$`), 'expected a JSON pointer like /error/code'),
  scalar,
);

const reset = z
  .strictObject({
    status: z
      .array(z.int().min(200).max(599))
      .min(1)
      .optional()
      .describe('Statuses of such an answer; absent: any'),
    json: jsonValues
      .optional()
      .describe('What stands in its body, or in the event, by JSON pointer; absent: anything'),
    to: z
      .string()
      .default('initial')
      .describe('Where it goes on: at `initial`, or at this cursor; close ends the connection'),
  })
  .refine(
    ({ status, json }) => status !== undefined || json !== undefined,
    'says nothing of the answer: give status, json or both',
  );

const entry = z.strictObject({
  from: source.describe(
    'Where an answer holds the next cursor: in its body, a header, its items (item:/pointer), or the id of an event of an event stream (event:id)',
  ),
  send: destination
    .optional()
    .describe(
      'How the next poll carries it: query:NAME, in place of a parameter of that name, or header:NAME; absent: as {cursor} in its path or body',
    ),
  pick: z
    .enum(['first', 'last', 'max'])
    .optional()
    .describe('item: which of several items counts, max by whole numbers of any length; absent: last'),
  add: z
    .int()
    .optional()
    .describe('Added to the cursor, which is a whole number, before it is sent; absent: nothing'),
  unchanged: z
    .literal('skip', 'expected skip')
    .optional()
    .describe(
      'skip: an answer with the same cursor brings nothing, whatever its body; absent: it is looked at',
    ),
  decreased: z
    .literal('reset', 'expected reset')
    .optional()
    .describe(
      'reset: an answer with a smaller number brings nothing, and the next poll begins at `initial`; absent: it is a cursor like any other',
    ),
  initial: z
    .string()
    .optional()
    .describe(
      'The first poll’s cursor; {query.NAME} is the client’s own, {query.NAME|0} with a default, and then not sent beside it; absent: the first poll has none',
    ),
  reset: oneOrMany(reset)
    .optional()
    .describe(
      'What answers, or events, say that the cursor is not known any more; absent: such an answer ends the connection',
    ),
});

export type CursorEntry = z.output<typeof entry>;

export const cursor = oneOrMany(entry)
  .optional()
  .describe(
    'Where the next poll goes on, one or several that are kept together: with it a cut poll is repeated without loss; absent: a message may be lost',
  );

interface Around {
  readonly cursor?: readonly CursorEntry[] | undefined;
  readonly poll?: PollsConfig | undefined;
  readonly messages: MessagesConfig;
}

/** Keys of cursors that need others: without, they would do nothing, or poll from the same place for ever. */
export function cursorRules({ cursor = [], poll, messages }: Around, complain: Complain): void {
  forEach(cursor, (one, at) => {
    entryRules(one, (key, message) => complain(at(key), message));
    if (poll?.mode === 'stream') streamRules(one, (key, message) => complain(at(key), message));
    if (one.send === undefined && (one !== cursor[0] || !holdsCursor(poll)))
      complain(at('send'), 'is required unless the path, a header or the body of `poll` holds {cursor}');
    if (needsItems(one) && !hasItems(messages))
      complain(at('from'), `there are no items in ${messages.framing}: write json:/pointer or header:NAME`);
    if (one.from.from === 'event' && messages.framing !== 'sse')
      complain(at('from'), 'event:id has an effect with messages.framing: sse only');
  });
}

/** What must hold between cursors and their route: placeholders that are filled, headers that are nobody else's to say. */
export function cursorRouteRules(cursor: Around['cursor'] = [], route: RouteFacts, complain: Complain): void {
  forEach(cursor, ({ initial = '', send }, at) => {
    report(at('initial'), textFault(initial, { ...route, own: [] }), complain);
    if (send?.to === 'header') report(at('send'), sendFault(send.name.toLowerCase(), route), complain);
  });
}

function sendFault(name: string, route: RouteFacts): string | undefined {
  const fault = headerFault(name, route);
  return fault && `${name} ${fault}`;
}

/** `at` is the place of a key of an entry. */
function forEach(
  cursor: readonly CursorEntry[],
  check: (entry: CursorEntry, at: (key: string) => PropertyKey[]) => void,
): void {
  // One that is refused has not been made a list.
  if (!Array.isArray(cursor)) return;
  cursor.forEach((entry: CursorEntry, index) => {
    // A lone entry may stand without its list: its place is told by the key alone.
    check(entry, (key) => (cursor.length === 1 ? ['cursor', key] : ['cursor', index, key]));
  });
}

/** A poll says itself where it goes on. */
function holdsCursor({ path, headers = {}, body = '' }: Partial<PollsConfig> = {}): boolean {
  return [path, body, ...Object.values(headers)].some((text) => text?.includes('{cursor}'));
}

function needsItems({ from }: CursorEntry): boolean {
  return from.from === 'item';
}

type ComplainOf = (key: keyof CursorEntry, message: string) => void;

function entryRules({ from, pick }: CursorEntry, complain: ComplainOf): void {
  if (pick !== undefined && from.from !== 'item') complain('pick', 'has an effect with item:/pointer only');
}

/** A stream has no end at which all of it could be looked at. */
function streamRules({ from, pick, decreased }: CursorEntry, complain: ComplainOf): void {
  if (from.from === 'json' || from.from === 'header')
    complain('from', 'each event of a stream has its own: write item:/pointer or event:id');
  if (pick !== undefined) complain('pick', 'has no effect with mode: stream, where each event counts');
  if (decreased !== undefined) complain('decreased', 'has no effect with mode: stream');
}
