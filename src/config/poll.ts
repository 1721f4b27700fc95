import { z } from 'zod';
import { duration, headerName, optionalDuration, size, urlOrSocket } from './fields.ts';
import { complaintAbout, namesIn } from './placeholders.ts';
import { targetsOf } from './pool.ts';

/** The configuration of `upstream: { poll: … }`: an HTTP service that is polled in place of a WebSocket. */

const path = z
  .string()
  .regex(
    /^\/[^\s#]*$/,
    'expected a path that starts with / (it may hold {session}, {cursor}, {hold}, {query} and what the route captures)',
  );
const method = z.enum(['GET', 'POST', 'PUT', 'PATCH', 'DELETE']);
const METHOD = 'Method of the request';
const PATH =
  'Its path, behind the target’s; it may hold {session}, {cursor}, {hold}, {query} and what the route captures';

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
const baseUrl = urlOrSocket('http', 'https').refine((text) => !text.includes('?'), 'a base URL has no query');
const pointer = z
  .string()
  .regex(/^json:(\/[^/]*)*$/, 'expected json:/pointer')
  .transform((text) => text.slice(5));

const shape = z.strictObject({
  target: targetsOf(baseUrl).describe('Base URLs or unix sockets; one is picked per connection and kept'),
  open: z
    .strictObject({
      method: method.default('POST').describe(METHOD),
      path: path.describe(PATH),
      session: source
        .optional()
        .describe('Where the answer names the session: {session} in later paths; absent: it does not'),
      cursor: source.optional().describe('Where the answer holds the first cursor; absent: it does not'),
    })
    .optional()
    .describe('A request before the 101; a failure is relayed as the answer to the upgrade; absent: none'),
  poll: z
    .strictObject({
      method: method.default('GET').describe(METHOD),
      path: path.describe(PATH),
      hold: duration
        .prefault('25s')
        .describe('How long the service may hold a poll; {hold} in the path, in seconds'),
      margin: duration.prefault('5s').describe('Patience beyond `hold`'),
    })
    .describe('The request that fetches messages, again and again'),
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
  send: z
    .strictObject({
      method: method.default('POST').describe(METHOD),
      path: path.describe(PATH),
      text: z.string().default('text/plain; charset=utf-8').describe('Content-Type of text messages'),
      binary: z.string().default('application/octet-stream').describe('Content-Type of binary messages'),
      timeout: duration.prefault('30s').describe('A send without an answer by then has failed'),
      retry: z
        .enum(['connect-only', 'idempotent'])
        .default('connect-only')
        .describe(
          'Whether a send that failed is repeated: only if the service cannot have had it, or always, for the service drops what it has had by Idempotency-Key',
        ),
    })
    .optional()
    .describe('The request that takes a message; absent: the client may only listen'),
  close: z
    .strictObject({ method: method.default('DELETE').describe(METHOD), path: path.describe(PATH) })
    .optional()
    .describe('A request when the client has gone; absent: none'),
  headers: z
    .array(headerName)
    .prefault(['cookie', 'authorization', 'user-agent', 'accept-language'])
    .describe('Headers of the handshake that are passed on'),
  responseSize: size.prefault('4MiB').describe('Largest answer; beyond it 1014'),
  queueSize: size
    .prefault('1MiB')
    .describe('Messages waiting to be sent, in bytes, before the client is paused'),
  outage: optionalDuration
    .prefault('60s')
    .describe('A service that fails for this long ends the connection with 1013'),
});

export type PollConfig = z.output<typeof shape>;

/** Headers of polls and sends that are the bridge's own to say, whatever client and configuration say. In lower case. */
export const POLL_HEADERS: readonly string[] = [
  'accept-encoding',
  'content-encoding',
  'content-type',
  'idempotency-key',
  'x-connection-id',
];

export const pollUpstream = shape.superRefine(pollRules);

type Context = z.core.$RefinementCtx;

/** Keys that need one another: without, they would do nothing, or poll from the same place for ever. */
function pollRules({ open, poll, cursor, messages }: PollConfig, context: Context): void {
  function complain(path: string[], message: string): void {
    context.addIssue({ code: 'custom', path, message });
  }
  if (open?.cursor !== undefined && cursor === undefined)
    complain(['open', 'cursor'], 'has no effect without `cursor`');
  if (cursor !== undefined && cursor.send === undefined && !poll.path.includes('{cursor}'))
    complain(['cursor', 'send'], 'is required unless the path of `poll` holds {cursor}');
  if (messages.at !== undefined && messages.framing !== 'json-array')
    complain(['messages', 'at'], 'has an effect with json-array only');
  if (messages.item !== undefined && messages.framing === 'body')
    complain(['messages', 'item'], 'has no effect with body');
}

/** The placeholders each path may hold, beside the captures of the route's own path. */
const PLACES = {
  open: ['query'],
  poll: ['query', 'session', 'cursor', 'hold'],
  send: ['query', 'session', 'cursor'],
  close: ['query', 'session', 'cursor'],
} as const;

/** Placeholders that nothing fills. `matchPath` is the route's path, whose `{name}`s capture. */
export function placeholderRules(matchPath: string, config: PollConfig, context: Context): void {
  const captures = namesIn(matchPath);
  for (const [part, own] of Object.entries(PLACES)) {
    const path = config[part as keyof typeof PLACES]?.path ?? '';
    for (const name of namesIn(path)) {
      if (captures.includes(name) || ((own as readonly string[]).includes(name) && isFilled(name, config)))
        continue;
      context.addIssue({
        code: 'custom',
        path: ['upstream', 'poll', part, 'path'],
        message: complaintAbout(name),
      });
    }
  }
}

function isFilled(name: string, { open, cursor }: PollConfig): boolean {
  if (name === 'session') return open?.session !== undefined;
  return name !== 'cursor' || cursor !== undefined;
}
