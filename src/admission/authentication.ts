import type { AuthConfig, RouteConfig } from '../config/schema.ts';
import { tokenExemption } from './cors.ts';
import { checkExternal } from './external/index.ts';
import type { AuthService } from './external/service.ts';
import type { Check } from './grant.ts';
import type { ApiKeys } from './keys/index.ts';
import { challenge } from './token/challenge.ts';
import { checkToken } from './token/index.ts';
import { claimRule, requiredScope } from './token/require.ts';
import type { TokenVerifier } from './token/verifier.ts';

/** How the clients of a route prove who they are. */

export interface AuthenticationDeps {
  /** By the names of `issuers`. */
  readonly verifiers: ReadonlyMap<string, TokenVerifier>;
  /** By the files they stand in. */
  readonly keys?: ReadonlyMap<string, ApiKeys> | undefined;
  /** What the route asks, if it asks another service. */
  readonly external?: AuthService | undefined;
}

/** Compiles `auth` into checks, the cheap ones first: each proof that is asked for, and last what is known by then. */
export function createAuthentication({ auth, origins }: RouteConfig, deps: AuthenticationDeps): Check[] {
  if (auth === 'none') return [];
  const isExempt = tokenExemption(origins);
  const keys = keysOf(auth, deps);
  return [
    ...(auth.issuer.length > 0 || keys ? [checkToken(auth, deps.verifiers, isExempt, keys)] : []),
    ...(auth.external ? [checkExternal(auth.external, serviceOf(deps), isExempt)] : []),
    ...(Object.keys(auth.require).length > 0 ? [checkClaims(auth.require)] : []),
  ];
}

function keysOf({ keys: file }: AuthConfig, { keys }: AuthenticationDeps): ApiKeys | undefined {
  if (file === undefined) return undefined;
  const opened = keys?.get(file);
  if (opened === undefined) throw new Error(`the API keys in ${file} have not been opened`);
  return opened;
}

function serviceOf({ external }: AuthenticationDeps): AuthService {
  if (external === undefined) throw new Error('the service that the route asks has not been opened');
  return external;
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
