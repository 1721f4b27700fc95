import type { RouteConfig } from '../config/schema.ts';
import { ticketParameters } from '../config/tickets.ts';
import { GatewayError } from '../errors.ts';
import { removeParameter } from '../http/query.ts';
import { type GatewayRequest, isUpgrade } from '../http/request.ts';
import { parseHost } from '../http/target.ts';
import { hostRule } from './origin.ts';

/** Where people sign in, in place of a refusal that only a program would understand. */

/** The refusal as this client is to get it: a redirect, or the same. */
export type SignIn = (request: GatewayRequest, error: GatewayError) => GatewayError;

/**
 * Compiles `login`: a browser that opens a page gets a redirect in place of a 401. It is told where to come back to only
 * if that is a place of this site: a path where `login` is one, else the whole address on a host that the route's `match`
 * or `login` itself names; any other Host is the word of whoever asks. A token in the query does not come along.
 */
export function createSignIn({ login, match, auth }: RouteConfig): SignIn {
  if (login === undefined || auth === 'none') return (_, error) => error;
  const page = URL.parse(login);
  const tokens = auth.token.filter(({ from }) => from === 'query').map(({ name }) => name);
  const secrets = [...tokens, ...ticketParameters(auth)];
  return function signIn(request, error) {
    if (error.status !== 401 || !opensPage(request) || isLoginItself(request)) return error;
    const location = login.replaceAll('{return}', encodeURIComponent(returnTo(request)));
    // Caches must keep a page and its redirect apart, should they keep either.
    const headers = { location, vary: 'Accept, Authorization, Cookie' };
    return new GatewayError(error.code, { detail: error.detail, status: 302, headers });
  };

  /** It is shown to whoever asks for it by another route, or not at all: never by another redirect. */
  function isLoginItself({ path, clientAuthority }: GatewayRequest): boolean {
    if (page === null) return path === login?.split('?', 1)[0];
    return page.host === clientAuthority && page.pathname === path;
  }

  function returnTo({ path, query, secure, clientAuthority }: GatewayRequest): string {
    const rest = secrets.reduce(removeParameter, query);
    const local = rest === undefined ? path : `${path}?${rest}`;
    // Browsers take what begins with two slashes, or a slash and a backslash, for another host.
    if (page === null) return /^\/[/\\]/.test(local) ? '' : local;
    const host = parseHost(clientAuthority);
    const isNamed = host === page.hostname || isMatched(host);
    return isNamed ? `${secure ? 'https' : 'http'}://${clientAuthority}${local}` : '';
  }

  /** By a proxy's word it may be another host than the one the route was found by. */
  function isMatched(host: string): boolean {
    return match.host !== undefined && hostRule([`https://${match.host}`])(host);
  }
}

/** By what browsers say of it, if they do (Fetch Metadata), and by what it would show. */
function opensPage(request: GatewayRequest): boolean {
  if (isUpgrade(request) || (request.method !== 'GET' && request.method !== 'HEAD')) return false;
  const mode = fieldOf(request, 'sec-fetch-mode') ?? 'navigate';
  return mode === 'navigate' && /\btext\/html\b/i.test(fieldOf(request, 'accept') ?? '');
}

function fieldOf({ headers }: GatewayRequest, name: string): string | undefined {
  return headers.find(([key]) => key.toLowerCase() === name)?.[1];
}
