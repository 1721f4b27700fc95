import { z } from 'zod';
import { optionalDuration, size, urlOrSocket } from '../fields.ts';
import { targetsOf } from '../pool.ts';
import { sessionHeaders } from './headers.ts';
import { http2 } from './http2.ts';
import { linger } from './linger.ts';

/** What every session with an HTTP service has, whatever it is spoken with. */

/** Where a service is: a URL or a unix socket. */
export const HTTP_BASE = urlOrSocket('http', 'https').refine(
  (text) => !text.includes('?'),
  'a base URL has no query: that goes into the `path` of a request, beside `target`',
);

/** A status that may end a session: no success, and no 304, which says that there is nothing new. */
const status = z
  .string()
  .regex(/^(30[0-3]|30[5-9]|3[1-9]\d|[45]\d\d)$/, 'expected a status from 300 to 599, but 304');

/** A code for the Close that the client gets (RFC 6455 §7.4): those that are not reserved, nor another's to say. */
const closeCode = z
  .number('expected a close code')
  .int()
  .refine(
    (code) =>
      [1000, 1001, 1003, 1008, 1009, 1011, 1012, 1013, 1014].includes(code) || (code >= 3000 && code <= 4999),
    'expected a close code such as 1000, 1008, 1011 or 4403 (1000, 1001, 1003, 1008, 1009, 1011 to 1014, or 3000 to 4999)',
  );

/** When the cursor moves behind what the client was sent, or the service is told. */
export const ack = z
  .enum(['written', 'pong'])
  .optional()
  .describe(
    'When the cursor moves, or `confirm` is sent: once the messages are written to the client’s socket, or once the client has answered a ping sent behind them, so that none is lost with it; absent: written',
  );

export const PROFILE = 'What the service speaks: generic is what the keys beside it say; absent: generic';

export const commonFields = {
  target: targetsOf(HTTP_BASE).describe('Base URLs or unix sockets; one is picked per connection and kept'),
  headers: sessionHeaders,
  http2,
  responseSize: size.prefault('4MiB').describe('Largest answer, decoded; beyond it 1014'),
  queueSize: size
    .prefault('1MiB')
    .describe(
      'Messages waiting to be sent, in bytes, before the client is paused; as many may be pushed and wait for it, beyond which they are refused',
    ),
  codes: z
    .record(status, closeCode)
    .optional()
    .describe(
      'Close codes for statuses that end the session, as in { 410: 1000 }; one that is named here does, be it a 5xx; absent: 401 is 3000, 403 is 3003, 413 is 1009, 415 is 1003, any other 3xx and 4xx but 408, 425 and 429 is 1014',
    ),
  outage: optionalDuration
    .prefault('60s')
    .describe('A service that fails for this long ends the connection with 1013'),
  linger,
};

/** For profiles whose services put sessions into channels. */
export const channelPrefix = z
  .string()
  .min(1)
  .max(100)
  .optional()
  .describe(
    'What stands before the name of each channel or group that its service puts sessions into, for whoever publishes: other routes’ sessions of that name do not hear it; absent: nothing, and names are shared with other routes',
  );

type Context = z.core.$RefinementCtx;

/** Says what is wrong with the key at a path below the one that is checked. */
export type Complain = (path: PropertyKey[], message: string) => void;

export function complainTo(context: Context): Complain {
  return (path, message) => context.addIssue({ code: 'custom', path, message });
}
