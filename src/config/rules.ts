import type { z } from 'zod';
import { headerClass } from '../http/header-classes.ts';
import { certificateClaimRules, externalRules } from './auth-rules.ts';
import { credentialRules } from './credential-rules.ts';
import type { CredentialConfig } from './credentials.ts';
import { entryRules } from './entry-rules.ts';
import { namesIn } from './placeholders.ts';
import { type Place, type PollConfig, sessionRules, takenHeaders } from './poll/index.ts';
import { type PoolShape, poolRules } from './pool.ts';
import { type HeaderChanges, rewriteRules } from './rewrite.ts';
import type { AuthConfig } from './schema.ts';
import type { AllowConfig } from './tcp/allow.ts';
import { dynamicRules } from './tcp/dynamic-rules.ts';
import { type FramingShape, framingRules } from './tcp/frames.ts';
import { tcpKeepaliveRules } from './tcp/keepalive.ts';
import { type TcpProtocolShape, tcpProtocolRules } from './tcp/protocol.ts';
import type { TableConfig } from './tcp/table.ts';
import { ticketParameters, ticketRules } from './tickets.ts';
import { isLegal, kindsOf } from './upstream-kinds.ts';

/**
 * What the shape alone cannot say: keys that exclude or need one another. Each rule reports at the key to mend.
 * These run on input whose shape already fits.
 */

type Context = z.core.$RefinementCtx;

function complain(context: Context, path: PropertyKey[], message: string): void {
  context.addIssue({ code: 'custom', path, message });
}

interface AuthShape {
  issuer: readonly string[];
  keys?: string | undefined;
  certificate?: object | undefined;
  external?: AuthConfig['external'];
  token: AuthConfig['token'];
  tickets?: AuthConfig['tickets'];
  require: AuthConfig['require'];
  forward: Readonly<Record<string, string>>;
  forwardToken: boolean;
}

interface RouteShape {
  login?: string | undefined;
  match: { host?: string | undefined; path: string; ignoreCase?: boolean | undefined };
  origins?: readonly string[] | undefined;
  cors: 'upstream' | 'answer';
  auth: 'none' | AuthShape;
  upstream: PoolShape &
    TcpProtocolShape &
    FramingShape & {
      poll?: PollConfig | undefined;
      post?: PollConfig | undefined;
      stripPrefix?: string | undefined;
      headers?: HeaderChanges | undefined;
      answerHeaders?: HeaderChanges | undefined;
      credentials?: readonly CredentialConfig[] | undefined;
      targets?: TableConfig | undefined;
      allow?: AllowConfig | undefined;
      allowClaim?: string | undefined;
    };
}

/** Upstreams that go together; what admission needs in order to be safe. */
export function routeRules(route: RouteShape, context: Context): void {
  kindRules(route, context);
  const inUpstream = (path: PropertyKey[], message: string) =>
    complain(context, ['upstream', ...path], message);
  poolRules(route.upstream, route.auth, route.match.path, inUpstream);
  dynamicRules(route, inUpstream);
  const claims = route.auth === 'none' ? [] : Object.keys(route.auth.forward);
  const facts = {
    captures: namesIn(route.match.path),
    hasClaims: route.auth !== 'none',
    taken: takenHeaders(route),
    places: placesOf(route),
  };
  sessionRules(route.upstream, facts, inUpstream);
  rewriteRules(route.upstream, claims, inUpstream);
  tcpKeepaliveRules(route.upstream, inUpstream);
  tcpProtocolRules(route.upstream, inUpstream);
  framingRules(route.upstream, inUpstream);
  credentialRules(route, (path, message) => complain(context, path, message));
  // Without a list only pages of the same host are let in, and those need no CORS.
  if (route.cors === 'answer' && route.origins === undefined) {
    complain(context, ['origins'], 'is required on a route with cors: answer, which answers to these alone');
  }
  entryRules(route, (path, message) => complain(context, path, message));
  caseRules(route, context);
  prefixRules(route, context);
  if (route.auth === 'none') return;
  const inAuth = (path: PropertyKey[], message: string) => complain(context, ['auth', ...path], message);
  proofRules(route.auth, context);
  externalRules(route.auth, inAuth);
  ticketRules({ ...route, auth: route.auth }, inAuth);
  const { credentials } = route.upstream;
  const conditions = Array.isArray(credentials) ? credentials.map(({ when }) => when) : [];
  certificateClaimRules(route.auth, conditions, (path, message) => complain(context, path, message));
  forwardRules(claims, context);
}

function kindRules({ upstream }: RouteShape, context: Context): void {
  const kinds = kindsOf(upstream);
  if (isLegal(kinds)) return;
  const found = kinds.join(' and ') || 'none';
  complain(
    context,
    ['upstream'],
    `an upstream is http, or one of websocket, tcp, poll, post, or http and one of those; this one is ${found}`,
  );
}

/** Where a handshake holds tokens, and where the gateway's own credentials go. */
function placesOf({ auth, upstream: { credentials } }: RouteShape): Place[] {
  const tokens = auth === 'none' ? [] : auth.token;
  const tickets = ticketParameters(auth).map((name) => ({ from: 'query', name }));
  // Where a part of them is wrong they are still as they were written.
  const own = Array.isArray(credentials) ? credentials : [];
  return [
    ...tokens,
    ...tickets,
    ...own.flatMap(({ query }) => (query ? [{ from: 'query', name: query }] : [])),
  ];
}

function proofRules({ issuer, keys, certificate, external }: AuthShape, context: Context): void {
  if (issuer.length > 0 || keys || certificate || external) return;
  complain(
    context,
    ['auth'],
    'asks for no proof: name an issuer, keys, certificate or external, or say none',
  );
}

function caseRules({ match: { path, ignoreCase } }: RouteShape, context: Context): void {
  const literals = path.replace(/\{\w+\}/g, '');
  if (ignoreCase && literals.toLowerCase() === literals.toUpperCase())
    complain(context, ['match', 'ignoreCase'], 'has no effect: the path has no letters');
}

/** A prefix that is not in every path of the route could be left out of some only. */
function prefixRules({ match, upstream: { stripPrefix } }: RouteShape, context: Context): void {
  if (stripPrefix === undefined) return;
  const [path, prefix] = [match.path, stripPrefix].map((text) =>
    match.ignoreCase ? text.toLowerCase() : text,
  );
  if (`${path}/`.startsWith(`${prefix}/`)) return;
  complain(
    context,
    ['upstream', 'stripPrefix'],
    `match.path (${match.path}) does not begin with these segments`,
  );
}

/** The gateway or HTTP itself gives a meaning to some headers; a claim in them would break or redirect the request. */
function forwardRules(headers: readonly string[], context: Context): void {
  for (const header of headers.filter(isReserved)) {
    complain(
      context,
      ['auth', 'forward', header],
      'this header is set by the gateway and cannot carry a claim',
    );
  }
}

function isReserved(header: string): boolean {
  const kind = headerClass(header);
  return kind !== undefined && kind !== 'identity';
}
