import type { AuthConfig } from '../../config/schema.ts';
import { ticketParameters } from '../../config/tickets.ts';
import { GatewayError } from '../../errors.ts';
import { type GatewayRequest, isUpgrade } from '../../http/request.ts';
import type { Check, Proven } from '../grant.ts';
import { challenge } from '../token/challenge.ts';
import { checkConfirmation } from '../token/confirmation.ts';
import { noteCredentials, noteProven, type TokenDeps } from '../token/index.ts';
import { tokenFinder } from '../token/sources.ts';

/**
 * Lets an upgrade in by a ticket where it shows one, and leaves all others to `checkToken`. A ticket is what its client means: what
 * else a browser sends along is taken out, and not looked at. Throws an Error at once if there are no tickets.
 *
 * Refuses with TICKET_INVALID, BAD_REQUEST for two tickets, STORE_UNAVAILABLE, RATE_LIMITED for a client from whose address
 * come too many bad ones.
 */
export function ticketOr(checkToken: Check, route: string, auth: AuthConfig, deps: TokenDeps): Check {
  const parameters = ticketParameters(auth);
  if (parameters.length === 0) return checkToken;
  const take = takerOf(route, deps);
  const findTokens = tokenFinder(auth.token);

  return async function ticketOrToken(request, grant) {
    const [ticket, ...others] = shown(request, parameters);
    if (ticket === undefined) return checkToken(request, grant);
    if (others.length > 0) throw challenge('BAD_REQUEST', request.host);
    try {
      noteProven(grant, await take(ticket, request));
    } catch (error) {
      throw isInvalid(error) ? challenge('TICKET_INVALID', request.host, error) : error;
    }
    noteCredentials(grant, findTokens(request));
  };
}

/** Takes a ticket of a client, against whose address a bad one counts. */
function takerOf(route: string, { tickets, verifications }: TokenDeps) {
  if (tickets === undefined) throw new Error('nobody keeps the tickets of this route');
  return async function take(ticket: string, { clientAddress, tls }: GatewayRequest): Promise<Proven> {
    const leave = verifications.enter(clientAddress);
    try {
      const proven = await tickets.take(ticket, { route, client: verifications.keyOf(clientAddress) });
      checkConfirmation(proven.claims, tls?.certificate);
      return proven;
    } catch (error) {
      if (isInvalid(error)) verifications.failed(clientAddress);
      throw error;
    } finally {
      leave();
    }
  };
}

/** The tickets of an upgrade. */
function shown(request: GatewayRequest, parameters: readonly string[]): string[] {
  if (!isUpgrade(request) || request.query === undefined) return [];
  const query = new URLSearchParams(request.query);
  return [...new Set(parameters.flatMap((name) => query.getAll(name)).filter((text) => text !== ''))];
}

function isInvalid(error: unknown): error is GatewayError {
  return error instanceof GatewayError && (error.code === 'TICKET_INVALID' || error.code === 'TOKEN_INVALID');
}
