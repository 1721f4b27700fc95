import type { z } from 'zod';

/**
 * What the shape alone cannot say: keys that exclude or need one another. Each rule reports at the key to mend.
 * These run on input whose shape already fits.
 */

type Context = z.core.$RefinementCtx;

function complain(context: Context, path: PropertyKey[], message: string): void {
  context.addIssue({ code: 'custom', path, message });
}

interface IssuerShape {
  algorithms: readonly string[];
  jwks?: string | undefined;
  publicKey?: string | undefined;
  secret?: string | undefined;
}

/** One key source; HMAC with a secret only, everything else with a public key only (RFC 8725 §2.1). */
export function issuerRules(issuer: IssuerShape, context: Context): void {
  const sources = (['jwks', 'publicKey', 'secret'] as const).filter((key) => issuer[key] !== undefined);
  if (sources.length !== 1) {
    complain(
      context,
      [],
      `an issuer has exactly one of jwks, publicKey, secret; this one has ${sources.join(' and ') || 'none'}`,
    );
    return;
  }
  const wrong = issuer.algorithms.filter((name) => name.startsWith('HS') !== (sources[0] === 'secret'));
  if (wrong.length > 0) {
    complain(context, ['algorithms'], `${wrong.join(', ')} cannot be verified with a ${sources[0]}`);
  }
}

const KINDS = ['websocket', 'tcp', 'poll', 'http'] as const;

interface RouteShape {
  origins?: readonly string[] | undefined;
  auth: 'none' | { token: readonly { from: string }[]; onExpiry: string };
  limits: Record<string, unknown> & { upgrades?: { per: string }; connections?: { per: string } };
  timeouts: { idle?: number | undefined; lifetime?: number | undefined };
  refuse: string;
  match: { path: string };
  upstream: Record<string, unknown>;
}

export function routeRules(route: RouteShape, context: Context): void {
  const kinds = KINDS.filter((kind) => route.upstream[kind] !== undefined);
  if (kinds.length !== 1) {
    const found = kinds.length === 0 ? 'none' : kinds.join(' and ');
    complain(
      context,
      ['upstream'],
      `an upstream is exactly one of websocket, tcp, poll, http; this one is ${found}`,
    );
    return;
  }
  const kind = kinds[0] as (typeof KINDS)[number];
  upstreamRules(kind, route, context);
  if (kind === 'http') httpRules(route, context);
  authRules(route, context);
}

/** Keys beside the upstream's kind that would have no effect with it. */
function upstreamRules(kind: string, { upstream }: RouteShape, context: Context): void {
  for (const key of ['protocols', 'text']) {
    if (upstream[key] !== undefined && kind !== 'tcp')
      complain(context, ['upstream', key], `has no effect with ${kind}; it belongs to tcp`);
  }
  if (upstream.tls === undefined) return;
  const secure = /"(wss|https):/.test(JSON.stringify(upstream[kind]));
  if (!secure) complain(context, ['upstream', 'tls'], 'has no effect: no target here is wss:// or https://');
}

/** A plain HTTP route has requests, not connections with messages. */
function httpRules(route: RouteShape, context: Context): void {
  for (const key of ['connections', 'messages', 'bytes', 'messageSize']) {
    if (route.limits[key] !== undefined)
      complain(context, ['limits', key], 'has no effect on an http upstream');
  }
  if (route.timeouts.lifetime !== undefined)
    complain(context, ['timeouts', 'lifetime'], 'has no effect on an http upstream');
  if (route.refuse === 'close') complain(context, ['refuse'], 'has no effect on an http upstream');
}

function authRules(route: RouteShape, context: Context): void {
  if (route.auth === 'none') {
    for (const [key, limit] of Object.entries(route.limits)) {
      const per = (limit as { per?: string } | undefined)?.per;
      if (per === 'subject')
        complain(context, ['limits', key, 'per'], 'there is no subject on a route with auth: none');
    }
    return;
  }
  // Any page on the web can make a browser send this site's cookies (CWE-1385): only an origin check stops it.
  if (route.auth.token.some((source) => source.from === 'cookie') && route.origins === undefined) {
    complain(context, ['origins'], 'is required on a route that takes tokens from cookies');
  }
}
