import type { Grant } from '../../../admission/grant.ts';
import { asGatewayError, GatewayError } from '../../../errors.ts';
import type { AdmittedRequest } from '../../../upstream/forward.ts';
import type { SessionHandle } from '../../contract.ts';
import { protocolFault } from './fault.ts';

/** Judges a new token of a client that has been let in; resolves with what it grants. Rejects with a GatewayError. */
export type Renew = (request: AdmittedRequest, token: string) => Promise<Grant>;

/** Failures that say nothing about the token: it could not be judged. */
const UNDECIDED: ReadonlySet<string> = new Set([
  'KEYS_UNAVAILABLE',
  'AUTH_UNAVAILABLE',
  'RATE_LIMITED',
  'TOO_MANY_REQUESTS',
]);

/** How the client of one WebSocket shows new tokens: one after the other. */
export class Authentication {
  readonly #judge: ((token: string) => Promise<Grant>) | undefined;
  #isBusy = false;

  /** `renew` is absent where the route asks for no proof: then there is nothing to judge. */
  constructor(request: AdmittedRequest, renew: Renew | undefined) {
    this.#judge = renew && ((token) => renew(request, token));
  }

  /**
   * Extends the session by a token, or leaves it as it is where that cannot be judged now. Rejects where it is wrong, or leads
   * to another target; and with PROTOCOL_ERROR until the last one is `answered`.
   */
  async renew(
    token: string,
    session: SessionHandle,
    leadsHere: (claims: Grant['claims']) => boolean,
  ): Promise<void> {
    if (this.#isBusy) throw protocolFault('AUTH before AUTH_OK');
    this.#isBusy = true;
    if (this.#judge === undefined) return;
    try {
      const grant = await this.#judge(token);
      if (!leadsHere(grant.claims)) throw elsewhere();
      session.extend(grant);
    } catch (error) {
      if (!UNDECIDED.has(asGatewayError(error).code)) throw error;
    }
  }

  /** The answer has left: to a client that does not read there is one that waits, not one for each that it has asked for. */
  answered(): void {
    this.#isBusy = false;
  }
}

function elsewhere(): GatewayError {
  return new GatewayError('FORBIDDEN', {
    detail: 'the new token leads to another target',
    sentence: 'The token does not lead to what is connected.',
  });
}
