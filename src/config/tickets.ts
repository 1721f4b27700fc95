import { z } from 'zod';
import { duration } from './fields.ts';
import type { Finding, Path } from './problem.ts';
import type { AuthConfig, Config, RouteConfig } from './schema.ts';
import { servedKinds } from './upstream-kinds.ts';

/** The configuration of tickets: what a client gets for its token, to show in the query of one upgrade. */

const LONGEST_MS = 30_000;

export const tickets = z.strictObject({
  within: duration
    .refine((ms) => ms <= LONGEST_MS, 'expected at most 30s')
    .prefault('30s')
    .describe('How long after it was given a ticket is good, at most 30s'),
  address: z
    .enum(['client', 'any'])
    .default('client')
    .describe(
      'client: it is good from the address that has asked for it, of IPv6 its network; any: from everywhere',
    ),
});

interface TokenPlaces {
  readonly token: readonly { readonly from: string; readonly name: string }[];
}

/** The parameters of a query in which a route looks for tickets. */
export function ticketParameters(auth: TokenPlaces | 'none'): string[] {
  if (auth === 'none') return [];
  return auth.token.flatMap(({ from, name }) => (from === 'ticket' ? [name || 'ticket'] : []));
}

export function takesTickets({ auth }: { readonly auth: TokenPlaces | 'none' }): boolean {
  return ticketParameters(auth).length > 0;
}

/** Where a gateway gives tickets. */
export function ticketPath({ endpoints }: Pick<Config, 'endpoints'>): string {
  return `${endpoints.prefix}/ticket`;
}

type TicketAuth = TokenPlaces & {
  readonly forwardToken: boolean;
  readonly tickets?: AuthConfig['tickets'];
};

/** What would have no effect. Reports within `auth`. */
export function ticketRules(
  { auth, upstream }: { readonly auth: TicketAuth; readonly upstream: unknown },
  complain: (path: PropertyKey[], message: string) => void,
): void {
  const at = auth.token.findIndex(({ from }) => from === 'ticket');
  if (at === -1) {
    if (auth.tickets !== undefined) complain(['tickets'], 'has no effect without `ticket` in auth.token');
    return;
  }
  if (!servedKinds(upstream).includes('upgrade'))
    complain(['token', at], 'a ticket is for an upgrade, and this route takes none');
  if (auth.forwardToken && isTicketsOnly(auth))
    complain(['forwardToken'], 'has no effect: who comes with a ticket brings no token');
}

/** Warnings: what asks for a token of clients that cannot bring one. */
export function ticketWarnings({ auth, upstream }: RouteConfig, path: Path): Finding[] {
  if (auth === 'none' || !isTicketsOnly(auth) || !servedKinds(upstream).includes('request')) return [];
  return [
    {
      path: [...path, 'auth', 'token'],
      message: 'no plain request gets in: a ticket is for an upgrade',
      hint: 'add header or cookie:NAME, or leave plain requests to another route',
    },
  ];
}

function isTicketsOnly({ token }: TokenPlaces): boolean {
  return token.every(({ from }) => from === 'ticket');
}
