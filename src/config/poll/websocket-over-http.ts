import { z } from 'zod';
import { cgiSpelling } from '../../http/header-classes.ts';
import { duration, size } from '../fields.ts';
import { Secret } from '../secret.ts';
import { channelPrefix, commonFields, PROFILE } from './common.ts';
import { endpoint } from './endpoint.ts';
import { POLL_HEADERS } from './headers.ts';
import { sendFields } from './requests.ts';

/** A service that speaks WebSocket-over-HTTP and GRIP, as those behind Pushpin and Fanout do. */

/** All end-to-end fields of the handshake, which the profile passes on itself; or those that are named. */
const headers = z
  .union(
    [z.literal('all'), commonFields.headers.unwrap()],
    'expected all, a list of headers, or a mapping with pass and add',
  )
  .transform((written) =>
    written === 'all' ? { pass: [], add: {}, isAll: true } : { ...written, isAll: false },
  )
  .prefault('all')
  .describe('Headers of the handshake that go with every request');

const shape = z.strictObject({
  profile: z.literal('websocket-over-http').describe(PROFILE),
  ...commonFields,
  path: endpoint
    .optional()
    .describe(
      'websocket-over-http: where all requests go, behind the target’s own path; absent: the client’s own path',
    ),
  headers,
  grip: z
    .strictObject({
      secret: z
        .string()
        .min(1)
        .transform((text) => new Secret(text))
        .optional()
        .describe(
          'Signs every request in Grip-Sig: from the environment, or file:PATH, never the text itself; bytes behind base64:; absent: none is signed',
        ),
      issuer: z.string().min(1).default('sallyport').describe('The `iss` of the signature'),
    })
    .prefault({})
    .describe('websocket-over-http: how the service knows the gateway'),
  channelPrefix,
  batch: z
    .strictObject({
      messages: z.int().min(1).max(10_000).default(1_000).describe('Most messages in one request'),
      size: size.prefault('256KiB').describe('And their bytes, unless it is one message'),
    })
    .prefault({})
    .describe(
      'websocket-over-http: messages that wait while a request is under way go together in the next one',
    ),
  timeout: duration.prefault('30s').describe('A request without an answer by then has failed'),
  retry: sendFields.retry,
  minKeepAlive: duration
    .prefault('1s')
    .describe('websocket-over-http: a shorter Keep-Alive-Interval of the service counts as this'),
  closeReason: z
    .boolean()
    .default(true)
    .describe(
      'websocket-over-http: CLOSE holds the reason; js-grip and serve-grip overlook the code of one that does',
    ),
  disconnectEvent: z
    .boolean()
    .default(true)
    .describe(
      'websocket-over-http: a client that is lost is told as DISCONNECT, at which js-grip and serve-grip throw; false: as a CLOSE without a code',
    ),
});

export const webSocketOverHttpService = shape.superRefine(headerRules);

export type WebSocketOverHttpConfig = z.output<typeof shape>;

/** Whether a header belongs to the protocol itself: from a client it could pass for the gateway, or for another client. */
export function isProtocolHeader(header: string): boolean {
  const name = cgiSpelling(header);
  return POLL_HEADERS.includes(name) || /^(?:accept|connection-id|host|(?:meta|grip|content)-.*)$/.test(name);
}

function headerRules({ headers }: WebSocketOverHttpConfig, context: z.core.$RefinementCtx): void {
  const message = 'is the protocol’s own: nobody else may say it';
  for (const [index, name] of headers.pass.entries())
    if (isProtocolHeader(name))
      context.addIssue({ code: 'custom', path: ['headers', 'pass', index], message });
  for (const name of Object.keys(headers.add))
    if (isProtocolHeader(name)) context.addIssue({ code: 'custom', path: ['headers', 'add', name], message });
}
