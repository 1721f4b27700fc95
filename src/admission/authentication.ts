import { sessionConfigOf } from '../config/poll/index.ts';
import type { AuthConfig, RouteConfig, UpstreamConfig } from '../config/schema.ts';
import { ticketParameters } from '../config/tickets.ts';
import { GatewayError } from '../errors.ts';
import { type Authorize, checkAuthorize } from './authorize.ts';
import { checkCertificate } from './certificate.ts';
import { tokenExemption } from './cors.ts';
import { checkExternal } from './external/index.ts';
import type { AuthService } from './external/service.ts';
import type { Check } from './grant.ts';
import { proofOf, type Revocations } from './revocations.ts';
import { ticketOr } from './tickets/check.ts';
import { alsoBasic, challenge } from './token/challenge.ts';
import { checkToken, type TokenDeps } from './token/index.ts';
import { claimRule, requiredScope } from './token/require.ts';

/** How the clients of a route prove who they are. */

/** What the proofs of clients are checked with. */
export interface AuthenticationDeps extends TokenDeps {
  /** What the route asks, if it asks another service. */
  readonly external?: AuthService | undefined;
  /** Who is not let in any more. Absent: nobody. */
  readonly revocations?: Revocations | undefined;
  /** What the program around the gateway has to say, if it has. */
  readonly authorize?: Authorize | undefined;
}

/** Compiles `auth` into checks, the cheap ones first: each proof that is asked for, and last what is known by then. */
export function createAuthentication(route: RouteConfig, deps: AuthenticationDeps): Check[] {
  return [
    ...createProofs(route, deps),
    ...createRevoked(route, deps),
    ...createRequired(route),
    ...createAuthorization(route, deps),
  ];
}

function createRevoked({ auth }: RouteConfig, { revocations }: AuthenticationDeps): Check[] {
  return auth === 'none' || revocations === undefined ? [] : [checkRevoked(revocations)];
}

/** Throws TOKEN_REVOKED; preflights pass. */
function checkRevoked(revocations: Revocations): Check {
  return function revoked({ host }, grant) {
    if (!grant.isUnproven && revocations.isRevoked(proofOf(grant))) throw challenge('TOKEN_REVOKED', host);
  };
}

function createRequired({ auth }: RouteConfig): Check[] {
  return auth === 'none' || Object.keys(auth.require).length === 0 ? [] : [checkClaims(auth.require)];
}

function createAuthorization({ name, timeouts }: RouteConfig, { authorize }: AuthenticationDeps): Check[] {
  return authorize === undefined ? [] : [checkAuthorize(authorize, name, timeouts.handshake)];
}

function createProofs({ name, auth, origins, upstream }: RouteConfig, deps: AuthenticationDeps): Check[] {
  if (auth === 'none') return [];
  const { external } = auth;
  const isExempt = tokenExemption(origins);
  return [
    ...(auth.certificate ? [checkCertificate(auth.certificate, isExempt)] : []),
    ...(auth.issuer.length > 0 || auth.keys !== undefined
      ? [asksForBasic(auth, ticketOr(checkToken(auth, deps, isExempt), name, auth, deps))]
      : []),
    ...(external
      ? [
          checkExternal(
            { ...auth, external, hidden: [...resumeParameter(upstream), ...ticketParameters(auth)] },
            askedBy(deps),
            isExempt,
          ),
        ]
      : []),
  ];
}

/** Who knows a client's resume token may go on with its session. */
function resumeParameter(upstream: UpstreamConfig): string[] {
  const token = sessionConfigOf(upstream)?.linger?.token;
  return token?.from === 'query' ? [token.name] : [];
}

function askedBy({ external: service, verifications }: AuthenticationDeps) {
  if (service === undefined) throw new Error('the service that the route asks has not been opened');
  return { service, verifications };
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
