import { z } from 'zod';
import { duration, word } from '../fields.ts';
import type { Complain } from './common.ts';
import type { RouteFacts } from './headers.ts';

/** How a session outlives a client that is lost. */

const PLACES = 'query:NAME or subprotocol:PREFIX';

/** Where the client writes the token that it comes back with: `query:NAME` or `subprotocol:PREFIX`. */
const resumeToken = word(PLACES, (text) => {
  const match = /^(query|subprotocol):([!#$%&'*+.^_`|~0-9A-Za-z-]+)$/.exec(text);
  return match ? { from: match[1] as 'query' | 'subprotocol', name: match[2] as string } : undefined;
});

const shape = z.strictObject({
  for: duration
    .prefault('30s')
    .describe('How long the session waits for a client that went without a Close; then the service is told'),
  token: resumeToken.describe(
    'Where the client writes the token that it comes back with: query:NAME or subprotocol:PREFIX. It chooses one for each session, of 22 to 128 characters of A-Z, a-z, 0-9, - and _ that nobody can guess, such as crypto.randomUUID(), and may write .N behind it, the number of messages it has received since the first connect',
  ),
  max: z
    .int()
    .min(1)
    .default(1_000)
    .describe(
      'So many sessions of the route may wait at a time, each with up to queueSize of messages; beyond it a lost client ends its session',
    ),
});

export type LingerConfig = z.output<typeof shape>;

interface LingeringConfig {
  readonly linger?: LingerConfig | undefined;
  readonly profile?: string | undefined;
}

export const linger = shape
  .optional()
  .describe(
    'A client that was lost, silent or stalled may come back and go on with the same session at the service; with auth: none whoever knows its token may; with sockjs that is for clients of …/websocket, without frames; absent: the session ends with its client',
  );

/** Profiles whose clients would not know the session on another connection, and why. */
const SENSELESS: Readonly<Record<string, string>> = {
  'engine.io':
    'has no place here: clients of Engine.IO begin a new session with each connection, and would wait for its first packet; leave it out, and let Socket.IO’s connectionStateRecovery bring them what they have missed',
  bayeux:
    'has no place here: clients of Bayeux do not count what they have received, and bring their own clientId to another connection; leave it out, and let the acknowledgement extension of the service bring them what they have missed',
};

/** A token that stands where another thing is looked for would be taken for it, and out of the handshake. */
export function lingerRules(
  { linger: config, profile = 'generic' }: LingeringConfig,
  { places = [] }: RouteFacts,
  complain: Complain,
): void {
  if (config === undefined) return;
  const senseless = SENSELESS[profile];
  if (senseless !== undefined) complain(['linger'], senseless);
  const { from, name } = config.token;
  const isTaken = places.some((place) => place.from === from && collide(from, place.name, name));
  if (isTaken)
    complain(
      ['linger', 'token'],
      'is a place that `auth.token` or `upstream.credentials` uses: choose another name',
    );
}

/** Prefixes of which one begins with the other match the same item. */
function collide(from: string, one: string, other: string): boolean {
  if (from === 'query' || one === '') return one === other;
  return one.startsWith(other) || other.startsWith(one);
}
