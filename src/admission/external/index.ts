import { hash } from 'node:crypto';
import type { AuthConfig } from '../../config/schema.ts';
import { GatewayError } from '../../errors.ts';
import { addressKey } from '../../http/address.ts';
import type { GatewayRequest, HeaderField } from '../../http/request.ts';
import { isForgeable } from '../forgeable.ts';
import { type Check, endBy } from '../grant.ts';
import type { Verifications } from '../token/verifications.ts';
import { withoutToken } from '../without-token.ts';
import { type Proof, readAnswer } from './answer.ts';
import { fieldsFrom, ourFields } from './question.ts';
import { RememberedAnswers } from './remembered.ts';
import { AuthService, type ExternalConfig } from './service.ts';

/** Opens the service that a route asks about its clients, if it asks one; whoever opens it closes it. */
export function openAuthService(auth: 'none' | AuthConfig): AuthService | undefined {
  if (auth === 'none' || auth.external === undefined) return undefined;
  return new AuthService(auth.external);
}

/** What the configuration says of it. */
interface ExternalAuth {
  readonly external: ExternalConfig;
  /** A token that has been found goes on, to this service too. */
  readonly forwardToken: boolean;
}

/** What another service is asked with. */
interface ExternalDeps {
  readonly service: Pick<AuthService, 'ask'>;
  /** Bounds what is asked on behalf of strangers. */
  readonly verifications: Pick<Verifications, 'check' | 'failed'>;
}

/**
 * Asks another service about each client, with some fields of its request and what it asks for, its token not among
 * them: a 2xx lets it in, and its
 * fields become claims, beside those of a token, which win. What `isExempt` names (preflights) is let in without.
 *
 * Refuses with RelayedAnswer, TOKEN_EXPIRED where the answer's own end has passed, ORIGIN_REFUSED for cookies without an
 * Origin, TOO_MANY_REQUESTS, AUTH_UNAVAILABLE, RATE_LIMITED for a client from whose address come too many that it refuses.
 */
export function checkExternal(
  { forwardToken: keepsToken, external: config }: ExternalAuth,
  { service, verifications }: ExternalDeps,
  isExempt: (request: GatewayRequest) => boolean = () => false,
  now: () => number = Date.now,
): Check {
  const wanted = new Set(config.forward);
  const remembered = config.cache === undefined ? undefined : new RememberedAnswers(config.cache, { now });

  return async function external(request, grant) {
    if (isExempt(request)) {
      grant.isUnproven = true;
      return;
    }
    const bare = keepsToken ? request : withoutToken(request, grant);
    const own = fieldsFrom(bare, wanted);
    if (isForgeable(request) && isCookieOnly(own))
      throw new GatewayError('ORIGIN_REFUSED', {
        detail: 'a cookie for the auth service, without an Origin',
      });
    const { subject, claims, expiresAt } = await prove(request, [...own, ...ourFields(bare)]);
    if (subject !== undefined) grant.subject = subject;
    grant.claims = { ...claims, ...grant.claims };
    endBy(grant, expiresAt);
  };

  async function prove(request: GatewayRequest, question: readonly HeaderField[]): Promise<Proof> {
    const { id, host, clientAddress } = request;
    // Every request has an id of its own: it is no part of what is asked.
    const fields = [...question, ['x-request-id', id] as const];
    const ask = async () => {
      verifications.check(clientAddress);
      const answer = await service.ask(fields, addressKey(clientAddress));
      if (answer.status === 401 || answer.status === 403) verifications.failed(clientAddress);
      return readAnswer(answer, config, host, now());
    };
    return remembered === undefined ? ask() : remembered.answer(nameOf(question), ask);
  }
}

/** Browsers add cookies to any page's requests, and an Authorization where a script has put it. */
function isCookieOnly(fields: readonly HeaderField[]): boolean {
  const names = new Set(fields.map(([name]) => name.toLowerCase()));
  return names.has('cookie') && !names.has('authorization');
}

/** All that is asked goes into it. */
function nameOf(question: readonly HeaderField[]): string {
  return hash('sha256', JSON.stringify(question), 'base64');
}
