import { usesCookies } from '../config/entry-rules.ts';
import type { RouteConfig } from '../config/schema.ts';
import type { GatewayError } from '../errors.ts';
import { isToken, splitList } from '../http/fields.ts';
import { cgiSpelling } from '../http/header-classes.ts';
import type { GatewayRequest } from '../http/request.ts';
import { originRule } from './origin.ts';

/** What browsers ask about pages of other origins, and what they are told (the CORS protocol, Fetch standard §3.2). Pure. */

/** What one route tells the pages of other origins. */
export interface Cors {
  /** Fields with which the page may read a refusal, names in lower case; none for a page that the route does not let in. */
  refusal(request: GatewayRequest, error: GatewayError): Readonly<Record<string, string>>;
  /** Fields by which the page may read an answer of the gateway's own; none for a page that the route does not let in. */
  readable(request: GatewayRequest): Readonly<Record<string, string>>;
  /** The fields of the answer to a preflight of a page that was let in; names and values alternate. */
  preflight(request: GatewayRequest): string[];
  /** The fields of the service's answer as a page that was let in is to get them; names and values alternate. */
  answer(fields: string[], request: GatewayRequest): string[];
}

/** Seconds for which a browser need not ask again. */
const MAX_AGE = '600';

/** What a page needs of a refusal; of its other fields scripts see nothing. */
const EXPOSED: ReadonlySet<string> = new Set([
  'retry-after',
  'www-authenticate',
  'ratelimit',
  'ratelimit-policy',
]);

/** The service's word on these gives way where the gateway answers. */
const REPLACED: ReadonlySet<string> = new Set([
  'access-control-allow-origin',
  'access-control-allow-credentials',
]);

/** A browser sends none of these with a preflight; the last ones may make another request of it. */
const NEVER_ASKED_WITH: ReadonlySet<string> = new Set([
  'authorization',
  'cookie',
  'transfer-encoding',
  'x-http-method',
  'x-http-method-override',
  'x-method-override',
]);

/**
 * Whether a browser asks with this request if a page may send another one. It does so without credentials and without a
 * body: what comes with either, or asks to be taken for another method, is a request like any other.
 */
export function isPreflight({ method, origin, headers }: GatewayRequest): boolean {
  if (method !== 'OPTIONS' || origin === undefined) return false;
  const methods: string[] = [];
  for (const [name, value] of headers) {
    const key = name.toLowerCase();
    if (NEVER_ASKED_WITH.has(cgiSpelling(key)) || (key === 'content-length' && Number(value) !== 0))
      return false;
    if (key === 'access-control-request-method') methods.push(value);
  }
  return methods.length === 1 && methods.every(isToken);
}

/**
 * Compiles which requests need no token on a route with these origins: the preflights of their pages. Where none are named,
 * all pages are of the same host, for which no browser asks; an OPTIONS that looks like it may come from anybody.
 */
export function tokenExemption(origins: RouteConfig['origins']): (request: GatewayRequest) => boolean {
  return origins === undefined ? () => false : isPreflight;
}

/** Compiles what the route's `cors`, `origins` and token sources say. */
export function createCors({ cors, origins, auth }: RouteConfig): Cors {
  const isAllowed = originRule(origins);
  // To browsers client certificates are credentials as cookies are (Fetch standard §2.2.2).
  const needsCredentials = auth !== 'none' && (usesCookies(auth) || auth.certificate !== undefined);
  const credentials: Readonly<Record<string, string>> = needsCredentials
    ? { 'access-control-allow-credentials': 'true' }
    : {};
  const allow = (origin: string) => ({ 'access-control-allow-origin': origin, ...credentials });
  function readable(request: GatewayRequest): Readonly<Record<string, string>> {
    if (request.origin === undefined || !isAllowed(request)) return {};
    return { ...allow(request.origin), vary: 'Origin' };
  }
  return {
    readable,
    refusal(request, error) {
      const fields = readable(request);
      return 'vary' in fields ? { ...fields, ...exposed(error) } : fields;
    },
    preflight({ origin = '', headers }) {
      return Object.entries({ ...allow(origin), ...asked(headers) }).flat();
    },
    answer(fields, { origin }) {
      if (cors !== 'answer') return fields;
      return [...shared(fields), ...(origin === undefined ? [] : Object.entries(allow(origin)).flat())];
    },
  };
}

function exposed({ headers }: GatewayError): Readonly<Record<string, string>> {
  const names = Object.keys(headers).filter((name) => EXPOSED.has(name));
  return names.length === 0 ? {} : { 'access-control-expose-headers': names.join(', ') };
}

/** Allows the method and the fields that a preflight asks for: whoever is let in may send any, as elsewhere. */
function asked(headers: GatewayRequest['headers']): Readonly<Record<string, string>> {
  const all = (wanted: string) =>
    headers.filter(([name]) => name.toLowerCase() === wanted).map(([, value]) => value);
  const fields = all('access-control-request-headers').join(', ');
  return {
    'access-control-allow-methods': all('access-control-request-method').join(),
    ...(fields === '' ? {} : { 'access-control-allow-headers': fields }),
    'access-control-max-age': MAX_AGE,
    vary: 'Origin, Access-Control-Request-Method, Access-Control-Request-Headers',
  };
}

/**
 * The service's fields but those that are ours to say. Every answer depends on Origin, one to a request without it too:
 * else a cache gives that one to a page, which may not read it (Fetch standard, "CORS protocol and HTTP caches").
 */
function shared(fields: readonly string[]): string[] {
  const kept: string[] = [];
  const vary: string[] = [];
  for (let index = 0; index < fields.length; index += 2) {
    const [name = '', value = ''] = fields.slice(index, index + 2);
    const key = name.toLowerCase();
    if (!REPLACED.has(key)) kept.push(name, value);
    if (key === 'vary') vary.push(value.toLowerCase());
  }
  const named = splitList(vary);
  return named.includes('origin') || named.includes('*') ? kept : [...kept, 'vary', 'Origin'];
}
