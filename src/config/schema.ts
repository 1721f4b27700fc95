import { z } from 'zod';
import { auth } from './auth.ts';
import { credentials } from './credentials.ts';
import { cidr, duration, hostPattern, loginUrl, origin, pathPattern } from './fields.ts';
import { issuer } from './issuers.ts';
import { keepalive, limits, processLimits, timeouts } from './limits.ts';
import { admin, listener } from './listeners.ts';
import { log } from './log.ts';
import { pollUpstream } from './poll.ts';
import { addressTargets, poolFields, urlTargets } from './pool.ts';
import { rewriteFields } from './rewrite.ts';
import { routeRules } from './rules.ts';
import { upstreamTls } from './upstream-tls.ts';

/**
 * The configuration language, once: types, defaults, error messages and `config/schema.json` all come from here.
 * Names are fixed; add, don't rename. Whatever is accepted has an effect: a key that would have none is an error.
 */

const upstream = z.strictObject({
  websocket: urlTargets('ws', 'wss')
    .optional()
    .describe(
      'Without a path, the client’s path is kept; with one, that is asked for, and behind it what a /* of the route stands for',
    ),
  tcp: addressTargets.optional().describe('host:port of a raw TCP service, or its unix socket'),
  poll: pollUpstream.optional().describe('An HTTP service without WebSockets'),
  http: urlTargets('http', 'https')
    .optional()
    .describe(
      'Plain requests, and upgrades to the same service unless websocket, tcp or poll stands beside it',
    ),
  ...rewriteFields,
  upgrades: z
    .literal('off', 'expected off')
    .optional()
    .describe('http: takes plain requests only, and leaves upgrades to later routes'),
  ...poolFields,
  protocols: z
    .array(z.string().min(1))
    .min(1)
    .optional()
    .describe('tcp: subprotocols to accept besides `binary`'),
  text: z.boolean().optional().describe('tcp: accept text messages too, as their UTF-8 bytes'),
  credentials: credentials
    .optional()
    .describe(
      'What the gateway proves itself with at the services of this route, in place of its clients; one or several',
    ),
  tls: upstreamTls.optional().describe('For wss:// and https:// upstreams'),
});

const route = z
  .strictObject({
    name: z
      .string()
      .regex(/^[a-z0-9][a-z0-9_.-]{0,63}$/i, 'expected a name of letters, digits, - _ . (at most 64)'),
    match: z.strictObject({
      host: hostPattern.optional(),
      path: pathPattern,
      ignoreCase: z.literal(true, 'expected true').optional().describe('The path is matched in any case'),
    }),
    paths: z
      .literal('strict', 'expected strict')
      .optional()
      .describe(
        'strict: paths with encoded slashes, empty segments, ;parameters or bytes that are not UTF-8 are refused; absent: only where servers could read them as leading elsewhere',
      ),
    origins: z.array(origin).min(1).optional().describe('Absent: same host only'),
    addresses: z
      .strictObject({ allow: z.array(cidr).min(1).optional(), deny: z.array(cidr).min(1).optional() })
      .optional()
      .describe('Client addresses; deny wins'),
    auth: z
      .union([z.literal('none'), auth], 'expected `none` to let everybody in, or a mapping with an issuer')
      .describe('How clients prove who they are; `none` must be said'),
    login: loginUrl
      .optional()
      .describe(
        'Where a browser that opens a page without a good token is sent; {return} is the address it wanted',
      ),
    cors: z
      .enum(['upstream', 'answer'])
      .default('upstream')
      .describe(
        'Who answers the preflights of pages in `origins`, and tells browsers that they may read the answers: the service, or the gateway',
      ),
    compression: z
      .enum(['pass', 'off'])
      .default('pass')
      .describe(
        'off: permessage-deflate is not negotiated, so that messageSize is that of the message itself',
      ),
    limits: limits.prefault({}),
    timeouts: timeouts.prefault({}),
    keepalive: z
      .union([z.literal('off'), keepalive], 'expected off, or a mapping with every and within')
      .prefault({}),
    refuse: z
      .enum(['http', 'close'])
      .default('http')
      .describe('close: accept, then close with a code scripts can see'),
    upstream,
  })
  .superRefine(routeRules);

export const schema = z.strictObject({
  listeners: z.array(listener).min(1),
  limits: processLimits.prefault({}).describe('Of the whole process'),
  trustedProxies: z
    .array(cidr)
    .prefault([])
    .describe(
      'Only what they say of clients is believed and passed on: X-Forwarded-*, Forwarded, X-Request-Id, CF-Connecting-IP and the like',
    ),
  log: log.prefault({}).describe('What is written down, and where'),
  admin: admin.optional().describe('/livez /readyz /metrics'),
  issuers: z.record(z.string(), issuer).default({}),
  drain: duration.prefault('10s').describe('After SIGTERM, open connections get this long to close'),
  routes: z.array(route).min(1),
});

export type Config = z.output<typeof schema>;
export type ListenerConfig = Config['listeners'][number];
export type IssuerConfig = Config['issuers'][string];
export type RouteConfig = Config['routes'][number];
export type LogConfig = Config['log'];
export type AuthConfig = Exclude<RouteConfig['auth'], 'none'>;
export type LimitsConfig = RouteConfig['limits'];
export type TimeoutsConfig = RouteConfig['timeouts'];
export type KeepaliveConfig = RouteConfig['keepalive'];
export type UpstreamConfig = RouteConfig['upstream'];
export type TokenSource = AuthConfig['token'][number];
