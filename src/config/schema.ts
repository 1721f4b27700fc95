import { z } from 'zod';
import { admin } from './admin.ts';
import { auth } from './auth.ts';
import { credentials } from './credentials.ts';
import { endpoints } from './endpoints.ts';
import { cidr, duration, hostPattern, keyFile, loginUrl, origin, pathPattern } from './fields.ts';
import { issuer } from './issuers.ts';
import { keepalive, limits, processLimits, timeouts } from './limits.ts';
import { listener } from './listeners.ts';
import { log } from './log.ts';
import { pollUpstream, postUpstream } from './poll/index.ts';
import { poolFields, urlTargets } from './pool.ts';
import { rewriteFields } from './rewrite.ts';
import { routeRules } from './rules.ts';
import { store } from './store.ts';
import { allowFields } from './tcp/allow.ts';
import { framingFields } from './tcp/frames.ts';
import { tcpKeepalive } from './tcp/keepalive.ts';
import { tcpProtocolFields } from './tcp/protocol.ts';
import { proxyProtocol } from './tcp/proxy-protocol.ts';
import { tableFields } from './tcp/table.ts';
import { tcpTargets } from './tcp/targets.ts';
import { upstreamTls } from './upstream-tls.ts';
import { workers } from './workers.ts';

/**
 * The configuration language, once: types, defaults, error messages and `config/schema.json` all come from here.
 * Names are fixed; add, don't rename. Whatever is accepted has an effect: a key that would have none is an error.
 */

const upstream = z.strictObject({
  websocket: urlTargets('ws', 'wss')
    .optional()
    .describe(
      'WebSocket services, for upgrades. Without a path, the client’s is kept; with one, that is asked for, and behind it what a /* of the route stands for; absent: none',
    ),
  tcp: tcpTargets
    .optional()
    .describe(
      'Raw TCP services, for upgrades: messages become bytes, and bytes messages. Or what clients name their target by, with {path.NAME}, {query.NAME}, {claims.NAME} or {host.label} in it, and targets or allow beside it; absent: none',
    ),
  ...tableFields,
  ...allowFields,
  poll: pollUpstream
    .optional()
    .describe(
      'An HTTP service without WebSockets, for upgrades: long polls fetch messages, POSTs send them; absent: none',
    ),
  post: postUpstream
    .optional()
    .describe(
      'An HTTP service without WebSockets, for upgrades: each message is POSTed, and the answer’s body is the reply; absent: none',
    ),
  http: urlTargets('http', 'https')
    .optional()
    .describe(
      'HTTP services, for plain requests, and for upgrades unless websocket, tcp, poll or post stands beside it; absent: none',
    ),
  ...rewriteFields,
  upgrades: z
    .literal('off', 'expected off')
    .optional()
    .describe('http takes plain requests only, and leaves upgrades to later routes; absent: both'),
  ...poolFields,
  ...framingFields,
  proxyProtocol,
  keepalive: tcpKeepalive,
  ...tcpProtocolFields,
  credentials: credentials
    .optional()
    .describe(
      'What the gateway proves itself with at the services of this route, in place of its clients; one or several; absent: nothing',
    ),
  tls: upstreamTls
    .optional()
    .describe(
      'For wss:// and https:// targets; of tcp that TLS is spoken: `on`, or the protocol that asks for it; absent: tcp in plain text, and the authorities that Node comes with are believed',
    ),
});

const route = z
  .strictObject({
    name: z
      .string()
      .regex(/^[a-z0-9][a-z0-9_.-]{0,63}$/i, 'expected a name of letters, digits, - _ . (at most 64)')
      .describe('What logs and metrics call it, and what its limits are remembered by'),
    match: z
      .strictObject({
        host: hostPattern.optional().describe('The Host that is asked for, without its port; absent: any'),
        path: pathPattern.describe('Exact; {name} is one segment, and /* at the end is everything below'),
        ignoreCase: z
          .literal(true, 'expected true')
          .optional()
          .describe('The path is matched in any case; absent: letter by letter'),
      })
      .describe('Which requests come here; the first route that matches and serves their kind takes them'),
    paths: z
      .literal('strict', 'expected strict')
      .optional()
      .describe(
        'strict: paths with encoded slashes, empty segments, ;parameters or bytes that are not UTF-8 are refused; absent: only where servers could read them as leading elsewhere',
      ),
    origins: z
      .array(origin)
      .min(1)
      .optional()
      .describe(
        'Pages that may come; programs, which name no origin, come without; absent: those of the host that is asked for',
      ),
    addresses: z
      .strictObject({
        allow: z.array(cidr).min(1).optional().describe('Only these; absent: all'),
        deny: z.array(cidr).min(1).optional().describe('Not these, even if they are allowed; absent: none'),
      })
      .optional()
      .describe('Addresses that clients may have; absent: any'),
    auth: z
      .union([z.literal('none'), auth], 'expected `none` to let everybody in, or a mapping with an issuer')
      .describe('How clients prove who they are; `none` must be said'),
    login: loginUrl
      .optional()
      .describe(
        'Where a browser that opens a page without a good token is sent; {return} is the address it wanted; absent: it gets 401',
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
    limits: limits.prefault({}).describe('How much clients may send and hold open'),
    timeouts: timeouts.prefault({}).describe('How long things may take'),
    keepalive: z
      .union([z.literal('off'), keepalive], 'expected off, or a mapping with every and within')
      .prefault({})
      .describe('How a silent peer of a WebSocket, or a TCP service on Linux, is told from a dead one'),
    refuse: z
      .enum(['http', 'close'])
      .default('http')
      .describe(
        'How a handshake is refused: by an HTTP status, or by a 101 and a close code, which the scripts of a page can see',
      ),
    upstream: upstream.describe(
      'What it leads to: one of websocket, tcp, poll and post, or http, or http and one of them',
    ),
  })
  .superRefine(routeRules);

export const schema = z.strictObject({
  listeners: z
    .array(listener)
    .describe('Where clients connect; none where a program attaches the gateway to servers of its own'),
  limits: processLimits.prefault({}).describe('Of the whole process, over all routes'),
  trustedProxies: z
    .array(cidr)
    .prefault([])
    .describe(
      'Proxies in front. Only what they say of clients is believed and passed on: X-Forwarded-*, Forwarded, X-Request-Id, CF-Connecting-IP and the like',
    ),
  log: log.prefault({}).describe('What is written down, and where'),
  admin: admin.optional().describe('A listener of its own with /livez, /readyz and /metrics; absent: none'),
  issuers: z
    .record(z.string(), issuer)
    .prefault({})
    .describe('Who signs tokens, each by a name that routes use'),
  revocations: keyFile
    .optional()
    .describe(
      'Who is revoked for as long as it stands there: file:PATH, a line each like `subject alice`, read again when it changes; absent: who is revoked by the admin listener alone',
    ),
  store: store
    .optional()
    .describe(
      'What several gateways share, so that limits hold across them; absent: each counts for itself, in memory',
    ),
  endpoints: endpoints.prefault({}).describe('What the gateway answers itself on its public listeners'),
  workers,
  drain: duration.prefault('10s').describe('So long open connections get to close after SIGTERM'),
  routes: z.array(route).min(1).describe('What is asked for, by whom, and where it goes'),
});

export type Config = z.output<typeof schema>;
/** What a person may write: durations, sizes and rates as texts, defaults left out. */
export type ConfigInput = z.input<typeof schema>;
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
