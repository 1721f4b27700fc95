import { asGatewayError } from '../../../errors.ts';
import type { AdmittedRequest } from '../../../upstream/forward.ts';
import type { SessionHandle } from '../../contract.ts';
import { protocolFault } from './fault.ts';

/** Judges a new token of a client that has been let in; resolves with when it ends. Rejects with a GatewayError. */
export type Renew = (request: AdmittedRequest, token: string) => Promise<number | undefined>;

/** Failures that say nothing about the token: it could not be judged. */
const UNDECIDED: ReadonlySet<string> = new Set([
  'KEYS_UNAVAILABLE',
  'AUTH_UNAVAILABLE',
  'RATE_LIMITED',
  'TOO_MANY_REQUESTS',
]);

/** How the client of one WebSocket shows new tokens: one after the other. */
export class Authentication {
  readonly #judge: ((token: string) => Promise<number | undefined>) | undefined;
  #isBusy = false;

  /** `renew` is absent where the route asks for no proof: then there is nothing to judge. */
  constructor(request: AdmittedRequest, renew: Renew | undefined) {
    this.#judge = renew && ((token) => renew(request, token));
  }

  /**
   * Extends the session by a token, or leaves it as it is where that cannot be judged now. Rejects where it is wrong, and with
   * PROTOCOL_ERROR while another one is being judged.
   */
  async renew(token: string, session: SessionHandle): Promise<void> {
    if (this.#judge === undefined) return;
    if (this.#isBusy) throw protocolFault('AUTH before AUTH_OK');
    this.#isBusy = true;
    try {
      session.extend(await this.#judge(token));
    } catch (error) {
      if (!UNDECIDED.has(asGatewayError(error).code)) throw error;
    } finally {
      this.#isBusy = false;
    }
  }
}
