import { z } from 'zod';
import { cgiSpelling } from '../../http/header-classes.ts';
import { duration } from '../fields.ts';
import { Secret } from '../secret.ts';
import { type Complain, channelPrefix, commonFields, PROFILE } from './common.ts';
import type { RouteFacts } from './headers.ts';
import { sendFields } from './requests.ts';

/** A service that takes CloudEvents as Azure Web PubSub sends them to its event handlers. */

const secret = z
  .string()
  .min(1)
  .transform((text) => new Secret(text));

export const cloudEventsPost = z.strictObject({
  profile: z.literal('cloudevents').describe(PROFILE),
  ...commonFields,
  path: z
    .string()
    .regex(/^\/[^\s#?{}]*$/, 'expected a path that starts with /, without a query and without placeholders')
    .optional()
    .describe(
      'cloudevents: where all events go, behind the target’s own path; absent: /api/webpubsub/hubs/HUB/, where handlers listen',
    ),
  hub: z
    .string()
    .regex(/^[A-Za-z]\w{0,127}$/, 'expected a letter, and then letters, digits and _')
    .describe(
      'cloudevents: the hub that the service handles the events of, which go to /api/webpubsub/hubs/HUB/ unless `path` says otherwise',
    ),
  origin: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9.-]*$/, 'expected the name of a host, as in gateway.example.com')
    .default('sallyport')
    .describe('cloudevents: who the events say they are from, in WebHook-Request-Origin'),
  secret: z
    .union([secret, z.array(secret).min(1).max(2)], 'expected an access key, or a list of two')
    .transform((secrets) => [secrets].flat())
    .optional()
    .describe(
      'cloudevents: access keys by which ce-signature proves the connection’s name: from the environment, or file:PATH, never the text itself; absent: none is signed',
    ),
  user: z
    .string()
    .min(1)
    .optional()
    .describe(
      'cloudevents: the claim that is the user’s name until the service says another; absent: the subject',
    ),
  channelPrefix,
  systemEvents: z
    .array(z.enum(['connect', 'connected', 'disconnected']))
    .prefault(['connect', 'connected', 'disconnected'])
    .describe('cloudevents: which of these the service is told beside the messages'),
  timeout: duration.prefault('30s').describe('A message without an answer by then has failed'),
  retry: sendFields.retry,
});

export type CloudEventsConfig = z.output<typeof cloudEventsPost>;

/** Names that none but the protocol may say, and a user who is nobody. */
export function cloudEventsRules(
  { headers, user }: CloudEventsConfig,
  { hasClaims }: RouteFacts,
  complain: Complain,
): void {
  if (user !== undefined && !hasClaims)
    complain(['user'], 'has no effect: there are no claims on a route with auth: none');
  for (const [index, name] of headers.pass.entries())
    if (isProtocolHeader(name)) complain(['headers', 'pass', index], PROTOCOLS);
  for (const name of Object.keys(headers.add))
    if (isProtocolHeader(name)) complain(['headers', 'add', name], PROTOCOLS);
}

const PROTOCOLS = 'is the protocol’s own: nobody else may say it';

function isProtocolHeader(header: string): boolean {
  return /^(ce|webhook)-/.test(cgiSpelling(header));
}
