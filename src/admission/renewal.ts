import type { RouteConfig, TokenSource } from '../config/schema.ts';
import { GatewayError } from '../errors.ts';
import type { GatewayRequest, HeaderField } from '../http/request.ts';
import { type AuthenticationDeps, createAuthentication } from './authentication.ts';
import type { Grant } from './grant.ts';
import { admit } from './index.ts';

/**
 * Judges a new token of a client that was let in by `before` with this request, and resolves with what it grants. Rejects as
 * the checks of a handshake do, and with FORBIDDEN for a token of another issuer or subject.
 */
export type Renewal = (request: GatewayRequest, before: Grant, token: string) => Promise<Grant>;

/** Wherever the first one stood, the new one is read from here. */
const BEARER: TokenSource = { from: 'header', name: '' };

/** Compiles how clients of a route prove themselves anew; undefined where no proof is asked for. Limits are not charged again. */
export function createRenewal(route: RouteConfig, deps: AuthenticationDeps): Renewal | undefined {
  const { auth } = route;
  if (auth === 'none') return undefined;
  const checks = createAuthentication({ ...route, auth: { ...auth, token: [BEARER] } }, deps);
  return async function renew(request, before, token) {
    const grant = await admit(checks, withToken(request, token));
    if (grant.issuer !== before.issuer || grant.subject !== before.subject)
      throw new GatewayError('FORBIDDEN', {
        detail: 'the new token has another issuer or subject',
        sentence: 'The token is not of the client that is connected.',
      });
    return grant;
  };
}

/** The request as if it had come with another token. */
function withToken<R extends GatewayRequest>(request: R, token: string): R {
  const others = request.headers.filter(([name]) => name.toLowerCase() !== 'authorization');
  const field: HeaderField = ['authorization', `Bearer ${token}`];
  return { ...request, headers: [...others, field] };
}
