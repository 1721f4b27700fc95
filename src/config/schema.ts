import { z } from 'zod';
import {
  cidr,
  duration,
  headerName,
  hostName,
  hostPattern,
  leeway,
  oneOrMany,
  origin,
  pathPattern,
  tokenSource,
} from './fields.ts';
import { keepalive, limits, processLimits, timeouts } from './limits.ts';
import { pollUpstream } from './poll.ts';
import { addressTargets, poolFields, urlTargets } from './pool.ts';
import { rewriteFields } from './rewrite.ts';
import { issuerRules, routeRules } from './rules.ts';
import { upstreamTls } from './upstream-tls.ts';

/**
 * The configuration language, once: types, defaults, error messages and `config/schema.json` all come from here.
 * Names are fixed; add, don't rename. Whatever is accepted has an effect: a key that would have none is an error.
 */

const port = z.int().min(0).max(65_535);

const certificate = z.strictObject({
  cert: z.string().describe('PEM file with the certificate and its chain'),
  key: z.string().describe('PEM file with the private key'),
});

const listener = z.strictObject({
  host: z.string().default('::').describe('Address to listen on; "::" is every address, IPv4 included'),
  port: port.describe('TCP port; 0 takes any free one'),
  tls: z
    .strictObject({
      certificates: z
        .array(certificate)
        .min(1)
        .describe('Chosen by server name; the first also serves unknown names'),
      minVersion: z.enum(['TLSv1.2', 'TLSv1.3']).default('TLSv1.2'),
    })
    .optional()
    .describe('Absent: plain text'),
});

const algorithm = z.enum([
  'HS256',
  'HS384',
  'HS512',
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
]);

const issuer = z
  .strictObject({
    issuer: z.string().min(1).describe('The exact `iss` of its tokens'),
    audience: oneOrMany(z.string().min(1)).describe('Accepted `aud`: one or several'),
    algorithms: z
      .array(algorithm)
      .min(1)
      .describe('Signature algorithms; never taken from the token (RFC 8725 §3.1)'),
    jwks: z.string().min(1).optional().describe('Key set: an http(s) URL, or a file'),
    publicKey: z.string().min(1).optional().describe('PEM file (SPKI or certificate)'),
    secret: z
      .string()
      .min(1)
      .optional()
      .describe('HMAC secret: from the environment, or file:PATH; never the text itself'),
    clockTolerance: leeway.prefault('5s').describe('Leeway for exp and nbf; at most 1m'),
  })
  .superRefine(issuerRules);

const claim = z.union(
  [z.string(), z.number(), z.boolean(), z.array(z.string()).min(1)],
  'expected a text, a number, true, false or a list of texts',
);

const auth = z.strictObject({
  issuer: oneOrMany(z.string().min(1)).describe('Names from `issuers`'),
  token: z.array(tokenSource).min(1).prefault(['header']).describe('Where to look for the token'),
  require: z
    .record(z.string(), claim)
    .default({})
    .describe('Claims the token must carry; a list means: every one of them'),
  forward: z
    .record(headerName, z.string().min(1))
    .default({})
    .describe("Header: claim. The client's own are dropped"),
  onExpiry: z
    .enum(['close', 'ignore'])
    .default('close')
    .describe('What happens to an open WebSocket at `exp`'),
  forwardToken: z.boolean().default(false).describe('Pass the token on to the upstream'),
});

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
  admin: z
    .strictObject({
      host: z.string().default('127.0.0.1'),
      port,
      names: z
        .array(hostName)
        .prefault([])
        .describe('Called by these names too, besides localhost and the address a connection came to'),
    })
    .optional()
    .describe('/livez /readyz /metrics'),
  issuers: z.record(z.string(), issuer).default({}),
  drain: duration.prefault('10s').describe('After SIGTERM, open connections get this long to close'),
  routes: z.array(route).min(1),
});

export type Config = z.output<typeof schema>;
export type ListenerConfig = Config['listeners'][number];
export type IssuerConfig = Config['issuers'][string];
export type RouteConfig = Config['routes'][number];
export type AuthConfig = Exclude<RouteConfig['auth'], 'none'>;
export type LimitsConfig = RouteConfig['limits'];
export type TimeoutsConfig = RouteConfig['timeouts'];
export type KeepaliveConfig = RouteConfig['keepalive'];
export type UpstreamConfig = RouteConfig['upstream'];
export type TokenSource = AuthConfig['token'][number];
