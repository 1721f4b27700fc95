import type { AuthConfig, RouteConfig } from '../config/schema.ts';
import { GatewayError } from '../errors.ts';
import { tokenExemption } from './cors.ts';
import type { Check } from './grant.ts';
import { alsoBasic, challenge } from './token/challenge.ts';
import { checkToken } from './token/index.ts';
import { claimRule, requiredScope } from './token/require.ts';
import type { TokenVerifier } from './token/verifier.ts';

/** How the clients of a route prove who they are. */

export interface AuthenticationDeps {
  /** By the names of `issuers`. */
  readonly verifiers: ReadonlyMap<string, TokenVerifier>;
}

/** Compiles `auth` into checks, the cheap ones first: each proof that is asked for, and last what is known by then. */
export function createAuthentication({ auth, origins }: RouteConfig, deps: AuthenticationDeps): Check[] {
  if (auth === 'none') return [];
  const isExempt = tokenExemption(origins);
  return [
    ...(auth.issuer.length > 0 ? [asksForBasic(auth, checkToken(auth, deps.verifiers, isExempt))] : []),
    ...(Object.keys(auth.require).length > 0 ? [checkClaims(auth.require)] : []),
  ];
}

/** `check`, which says in its refusals that the token may come as a password where it may. */
function asksForBasic({ token }: AuthConfig, check: Check): Check {
  if (!token.some(({ from }) => from === 'basic')) return check;
  return async function tokenOrPassword(request, grant) {
    try {
      await check(request, grant);
    } catch (error) {
      throw error instanceof GatewayError ? alsoBasic(error, request.host) : error;
    }
  };
}

/** Judges what is known of the client by what `require` asks for. Throws FORBIDDEN; preflights pass. */
export function checkClaims(required: AuthConfig['require']): Check {
  const lacking = claimRule(required);
  const scope = requiredScope(required);
  return function claims({ host }, grant) {
    if (grant.isUnproven) return;
    const short = lacking(grant.claims);
    if (short === undefined) return;
    throw challenge('FORBIDDEN', host, { scope, detail: `the claim ${short} does not suffice` });
  };
}
