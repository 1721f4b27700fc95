import { z } from 'zod';
import { duration } from '../fields.ts';

/** The requests of a session, as the configuration describes them. */

export const method = z.enum(['GET', 'POST', 'PUT', 'PATCH', 'DELETE']);
export const METHOD = 'Method of the request';

export const path = z
  .string()
  .regex(
    /^\/[^\s#]*$/,
    'expected a path that starts with / (it may hold {session}, {cursor}, {hold}, {query} and what the route captures)',
  );
export const PATH =
  'Its path, behind the target’s; it may hold {session}, {cursor}, {hold}, {query} and what the route captures';

/** A path without placeholders: profiles that know their protocol add what it asks for. */
export const fixedPath = z
  .string()
  .regex(/^\/[^\s#?{}]*$/, 'expected a path that starts with /, without a query and without placeholders');
export const ENDPOINT =
  'engine.io, sockjs, bayeux: where the service speaks that, behind the target’s own path';
export const TIMEOUT = 'A send without an answer by then has failed';

export const sendFields = {
  method: method.default('POST').describe(METHOD),
  text: z.string().default('text/plain; charset=utf-8').describe('Content-Type of text messages'),
  binary: z.string().default('application/octet-stream').describe('Content-Type of binary messages'),
  timeout: duration.prefault('30s').describe(TIMEOUT),
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
