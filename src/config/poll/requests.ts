import { z } from 'zod';
import { duration, headerName } from '../fields.ts';
import { answerSource } from './cursor.ts';
import { fieldTemplate } from './headers.ts';

/** The requests of a session, as the configuration describes them. Texts with placeholders are judged in templates.ts. */

const WHOSE =
  'it may hold {connection}, {session}, {claims.NAME}, {query.NAME|default} and what the route captures';

export const method = z.enum(['GET', 'POST', 'PUT', 'PATCH', 'DELETE']);
export const METHOD = 'Method of the request';

export const path = z
  .string()
  .regex(/^\/[^\s#]*$/, 'expected a path that starts with / (it may hold placeholders such as {session})');
export const PATH = `Its path, behind the target’s; ${WHOSE}, and {query}, {cursor}, {hold} or {seq} where they are known`;

/** What a request says besides its path: the keys of `open`, `poll`, `send` and `close`. */
const headers = z
  .record(headerName, fieldTemplate)
  .optional()
  .describe(
    'Headers of this request, with placeholders; one without a value is left out; absent: those that all have',
  );
const body = z
  .string()
  .optional()
  .describe(
    'Its body, with placeholders: JSON (as text within quotes, else as JSON) or a form; absent: none',
  );
const type = z
  .string()
  .optional()
  .describe('Content-Type of `body`: JSON, or application/x-www-form-urlencoded; absent: application/json');

/** Of a request that has no message. */
export const requestFields = { path: path.describe(PATH), headers, body, type };

export const openRequest = {
  method: method.default('POST').describe(METHOD),
  ...requestFields,
  session: answerSource
    .optional()
    .describe('Where the answer names the session: {session} in later requests; absent: it does not'),
};
export const OPEN =
  'A request before the 101; a failure is relayed as the answer to the upgrade; absent: none';
export const pollRequest = { method: method.default('GET').describe(METHOD), ...requestFields };
export const closeRequest = z
  .strictObject({ method: method.default('DELETE').describe(METHOD), ...requestFields })
  .optional()
  .describe('A request when the session is over; {code} and {reason} say why; absent: none');

/** A request as one of those keys describes it. */
export interface RequestConfig {
  readonly method: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly body?: string | undefined;
  readonly type?: string | undefined;
}

const place = z.string().regex(/^(\/[^/]*)+$/, 'expected a JSON pointer like /stream');
const edit = z.strictObject({
  set: z
    .record(place, z.unknown())
    .prefault({})
    .describe('JSON pointer: value, in place of what is there; its texts may hold placeholders'),
  remove: z.array(place).prefault([]).describe('JSON pointers to what is left out'),
});

/** What a send says besides its path. */
export const sendFields = {
  method: method.default('POST').describe(METHOD),
  body: z
    .union([z.string(), edit], 'expected a template, or a mapping with set and remove')
    .optional()
    .describe(
      'In place of the message: a template with {message} or {message.json}, or what is changed in a message that is JSON; absent: the message as it came',
    ),
  text: z
    .string()
    .optional()
    .describe(
      'Content-Type of text messages; absent: text/plain; charset=utf-8, and application/json with `body`',
    ),
  binary: z.string().optional().describe('Content-Type of binary messages; absent: application/octet-stream'),
  timeout: duration
    .prefault('30s')
    .describe('A send without an answer by then has failed; of a streamed answer: without a piece of it'),
  retry: z
    .enum(['connect-only', 'idempotent'])
    .default('connect-only')
    .describe(
      'Whether a send that failed is repeated: only if the service cannot have had it, or always, for the service drops what it has had by Idempotency-Key',
    ),
  response: z
    .enum(['ignore', 'message', 'batch', 'sse', 'ndjson'])
    .default('ignore')
    .describe(
      'What the answer to a send is to the client: nothing; its body one message, or none if it is empty; messages as `messages` says; or each event, or line of JSON, one message as it comes',
    ),
  refusal: z
    .enum(['relay', 'close', 'ignore'])
    .default('close')
    .describe(
      'A send that is answered with 4xx (but 401, 408, 425, 429 and those in `codes`): the body of the answer is a message, or the connection ends, or nothing',
    ),
  concurrency: z.int().min(1).max(64).default(1).describe('Most sends of a connection at a time'),
  order: z
    .enum(['keep', 'free'])
    .optional()
    .describe(
      'With `concurrency`: answers reach the client in the order of the messages, or as they come; absent: keep',
    ),
};

export type SendConfig = z.output<ReturnType<typeof sendShape>>;
export type EditConfig = z.output<typeof edit>;

function sendShape() {
  return z.strictObject({ path: path.describe(PATH), headers, ...sendFields });
}

export const sendRequest = sendShape()
  .optional()
  .describe('The request that takes a message; absent: the client may only listen');
