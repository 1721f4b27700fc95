import type { z } from 'zod';
import { optionalDuration, size, urlOrSocket } from '../fields.ts';
import { targetsOf } from '../pool.ts';
import { sessionHeaders } from './headers.ts';

/** What every session with an HTTP service has, whatever it is spoken with. */

/** Where a service is: a URL or a unix socket. */
export const HTTP_BASE = urlOrSocket('http', 'https').refine(
  (text) => !text.includes('?'),
  'a base URL has no query',
);

export const PROFILE = 'What the service speaks: generic is what the keys beside it say; absent: generic';

export const commonFields = {
  target: targetsOf(HTTP_BASE).describe('Base URLs or unix sockets; one is picked per connection and kept'),
  headers: sessionHeaders,
  responseSize: size.prefault('4MiB').describe('Largest answer; beyond it 1014'),
  queueSize: size
    .prefault('1MiB')
    .describe(
      'Messages waiting to be sent, in bytes, before the client is paused; as many may be pushed and wait for it, beyond which they are refused',
    ),
  outage: optionalDuration
    .prefault('60s')
    .describe('A service that fails for this long ends the connection with 1013'),
};

type Context = z.core.$RefinementCtx;

/** Says what is wrong with the key at a path below the one that is checked. */
export type Complain = (path: PropertyKey[], message: string) => void;

export function complainTo(context: Context): Complain {
  return (path, message) => context.addIssue({ code: 'custom', path, message });
}
