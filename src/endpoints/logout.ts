import { createLogOut, type LogOut, type LogoutParty } from '../admission/logout.ts';
import { createLogoutVerifier } from '../admission/token/logout-token.ts';
import { logoutPath } from '../config/logout.ts';
import { GatewayError } from '../errors.ts';
import type { GatewayRequest } from '../http/request.ts';
import type { Endpoint, EndpointDeps } from './endpoint.ts';

/**
 * Where identity providers say that somebody has signed out (OpenID Connect Back-Channel Logout 1.0): one endpoint for each
 * path, whose issuers are told apart by `iss`. Servers call it, not pages: nothing depends on its Origin, and its answers are
 * for pages of the gateway's own host alone.
 */
export function openLogout(deps: EndpointDeps): readonly Endpoint[] {
  const { revocations, verifications, commons } = deps;
  const byPath = Map.groupBy(partiesOf(deps), ({ path }) => path);
  return [...byPath].map(([path, parties]) => {
    const logOut = createLogOut(parties, { revocations, verifications, notes: commons.notes });
    return endpointAt(path, logOut);
  });
}

function partiesOf({ config, verifiers }: EndpointDeps): (LogoutParty & { readonly path: string })[] {
  return Object.entries(config.issuers).flatMap(([name, issuer]) => {
    const path = logoutPath(config, issuer);
    const keys = verifiers.get(name)?.keys;
    if (issuer.logout === undefined || path === undefined || keys === undefined) return [];
    const { clientId, for: forMs } = issuer.logout;
    const verify = createLogoutVerifier(issuer, { keys, clientId });
    return [{ path, issuer: issuer.issuer, forMs, verify }];
  });
}

function endpointAt(path: string, logOut: LogOut): Endpoint {
  return {
    path,
    async answer({ request, body, grant }) {
      try {
        const { subject, issuer } = await logOut(tokenIn(request, body), request.clientAddress);
        grant.issuer = issuer;
        if (subject !== undefined) grant.subject = subject;
        return {};
      } catch (error) {
        throw error instanceof GatewayError ? told(error) : error;
      }
    },
  };
}

/** The one parameter that counts (§2.5). Throws LOGOUT_REFUSED. */
function tokenIn({ headers }: GatewayRequest, body: Buffer): string {
  const type = headers.find(([name]) => name.toLowerCase() === 'content-type')?.[1] ?? '';
  if (!/^application\/x-www-form-urlencoded\s*(;|$)/i.test(type))
    throw refused('its content-type is not application/x-www-form-urlencoded');
  const [token, ...others] = new URLSearchParams(body.toString('latin1')).getAll('logout_token');
  if (token === undefined || others.length > 0) throw refused('it has not exactly one logout_token');
  return token;
}

/** As the provider is to hear it (§2.8). What may be said again later is no fault of its own. */
function told(error: GatewayError): GatewayError {
  return error.code === 'TOKEN_INVALID' ? refused(error.detail) : error;
}

function refused(detail: string | undefined): GatewayError {
  const error = new GatewayError('LOGOUT_REFUSED', { detail });
  return new GatewayError('LOGOUT_REFUSED', {
    detail,
    json: { error: 'invalid_request', error_description: error.message },
  });
}
