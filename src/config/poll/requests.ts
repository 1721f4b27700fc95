import { z } from 'zod';
import { duration, headerName } from '../fields.ts';
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

export const openRequest = { method: method.default('POST').describe(METHOD), ...requestFields };
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
    .describe('JSON pointer: value, in place of what is there; a text may hold placeholders'),
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
    .enum(['ignore', 'message'])
    .default('ignore')
    .describe('What the answer to a send is to the client: nothing, or a message'),
};

export type SendConfig = z.output<ReturnType<typeof sendShape>>;
export type EditConfig = z.output<typeof edit>;

function sendShape() {
  return z.strictObject({ path: path.describe(PATH), headers, ...sendFields });
}

export const sendRequest = sendShape()
  .optional()
  .describe('The request that takes a message; absent: the client may only listen');
