import { endsWithToken } from '../config/refresh.ts';
import type { AuthConfig, RouteConfig, TokenSource } from '../config/schema.ts';
import { takesTickets } from '../config/tickets.ts';
import type { GatewayRequest } from '../http/request.ts';
import { checkAddress } from './address.ts';
import { type AuthenticationDeps, createAuthentication } from './authentication.ts';
import type { Grant, Proven } from './grant.ts';
import { checkHost } from './host.ts';
import { admit } from './index.ts';
import { checkOrigin } from './origin.ts';
import { checkToken } from './token/index.ts';

/**
 * How a client of a route proves itself to the gateway, with a plain request that is for nobody else. Writes what is found out
 * into `grant`, and rejects as the checks of a handshake do. Limits are not charged.
 */
export type Reproof = (request: GatewayRequest, grant: Grant) => Promise<Grant>;

/** How the clients of one route do so, for each thing they may want of the gateway; absent where there is nothing of it. */
export interface Reproofs {
  /** By a new token, with which their sessions go on. */
  readonly refresh?: Reproof | undefined;
  /** By whatever lets them in but a ticket, for which they get one. */
  readonly ticket?: TicketReproof | undefined;
}

export interface TicketReproof {
  /** Resolves with what their token alone has proven. */
  prove(request: GatewayRequest, grant: Grant): Promise<Proven>;
  readonly config: AuthConfig['tickets'];
}

/** Compiles what a route has of them. */
export function createReproofs(route: RouteConfig, deps: AuthenticationDeps): Reproofs {
  return {
    refresh: endsWithToken(route) ? createTokenReproof(route, deps) : undefined,
    ticket: takesTickets(route) ? createTicketReproof(route, deps) : undefined,
  };
}

/** Where a token may stand without being written down on its way, as queries are. */
const KEPT: readonly string[] = ['header', 'cookie', 'basic'];
/** Good everywhere: a script can set it on a plain request. */
const BEARER: TokenSource = { from: 'header', name: '' };

/** Compiles the checks of a route's clients but its limits. A token stands where the route looks, or in Authorization; not in the query. */
function createReproof(route: RouteConfig, deps: AuthenticationDeps): Reproof {
  const { auth, addresses, origins } = route;
  const checks = [
    checkHost(route),
    ...(addresses ? [checkAddress(addresses)] : []),
    checkOrigin(origins),
    ...createAuthentication(auth === 'none' ? route : { ...route, auth: withKept(auth) }, deps),
  ];
  return (request, grant) => admit(checks, request, grant);
}

function withKept<A extends { readonly token: TokenSource[] }>(auth: A): A {
  const kept = auth.token.filter(({ from }) => KEPT.includes(from));
  const hasBearer = kept.some(({ from, name }) => from === BEARER.from && name === BEARER.name);
  return { ...auth, token: hasBearer ? kept : [...kept, BEARER] };
}

/** Compiles the same for tokens of the route's issuers alone. Bad ones are not counted: the same one is shown to many routes. */
function createTokenReproof(route: RouteConfig, deps: AuthenticationDeps): Reproof {
  const { auth } = route;
  const own = auth === 'none' ? route : { ...route, auth: { ...auth, keys: undefined } };
  const { verifications } = deps;
  return createReproof(own, {
    ...deps,
    verifications: {
      check: (address) => verifications.check(address),
      enter: (address) => verifications.enter(address),
      keyOf: (address) => verifications.keyOf(address),
      failed: () => undefined,
    },
  });
}

/** What else is asked for, is asked again of who shows the ticket: of that the answer of then counts. */
function createTicketReproof(route: RouteConfig, deps: AuthenticationDeps): TicketReproof | undefined {
  const { auth } = route;
  if (auth === 'none') return undefined;
  const prove = createReproof(route, deps);
  const proveToken = checkToken(withKept(auth), deps);
  return {
    async prove(request, grant) {
      await prove(request, grant);
      const alone: Grant = { claims: {}, releases: [] };
      await proveToken(request, alone);
      const { subject, claims, marks, expiresAt, graceMs } = alone;
      return { subject, claims, marks, expiresAt, graceMs };
    },
    config: auth.tickets,
  };
}
