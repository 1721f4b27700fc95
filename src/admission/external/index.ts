import { hash } from 'node:crypto';
import type { AuthConfig } from '../../config/schema.ts';
import { GatewayError } from '../../errors.ts';
import { removeParameter } from '../../http/query.ts';
import type { GatewayRequest, HeaderField } from '../../http/request.ts';
import type { CertificateWatch } from '../../watched-certificates.ts';
import type { Claims } from '../claims.ts';
import { isForgeable } from '../forgeable.ts';
import { type Check, endBy } from '../grant.ts';
import type { Verifications } from '../token/verifications.ts';
import { withoutToken } from '../without-token.ts';
import { type Proof, readAnswer } from './answer.ts';
import { fieldsFrom, ourFields } from './question.ts';
import { RememberedAnswers } from './remembered.ts';
import { AuthService, type ExternalConfig } from './service.ts';

/**
 * Opens the service that a route asks about its clients, if it asks one; whoever opens it closes it. Throws CertificateError for a
 * file of its `tls` that cannot be used.
 */
export function openAuthService(
  auth: 'none' | AuthConfig,
  certificates: CertificateWatch,
): AuthService | undefined {
  if (auth === 'none' || auth.external === undefined) return undefined;
  return new AuthService(auth.external, undefined, certificates);
}

/** What the configuration says of it. */
interface ExternalAuth {
  readonly external: ExternalConfig;
  /** A token that has been found goes on, to this service too. */
  readonly forwardToken: boolean;
  /** Parameters of the query that this service is not told: they may be resume tokens and tickets. */
  readonly hidden?: readonly string[];
}

/** What another service is asked with. */
interface ExternalDeps {
  readonly service: Pick<AuthService, 'ask'>;
  /** Bounds what is asked on behalf of strangers. */
  readonly verifications: Pick<Verifications, 'check' | 'failed' | 'keyOf'>;
}

/**
 * Asks another service about each client, with some fields of its request and what it asks for, its token not among
 * them: a 2xx lets it in, and its fields become claims, beside those of a token, which win, but for the one that is the
 * subject here: log, limits and upstream know one client. What `isExempt` names (preflights) is let in without.
 *
 * Refuses with RelayedAnswer, TOKEN_EXPIRED where the answer's own end has passed, ORIGIN_REFUSED for cookies without an
 * Origin, TOO_MANY_REQUESTS, AUTH_UNAVAILABLE, RATE_LIMITED for a client from whose address come too many that it refuses.
 */
export function checkExternal(
  { forwardToken: keepsToken, external: config, hidden = [] }: ExternalAuth,
  deps: ExternalDeps,
  isExempt: (request: GatewayRequest) => boolean = () => false,
  now: () => number = Date.now,
): Check {
  const wanted = new Set(config.forward);
  const prove = prover(config, deps, now);

  return async function external(request, grant) {
    if (isExempt(request)) {
      grant.isUnproven = true;
      return;
    }
    const bare = withoutHidden(keepsToken ? request : withoutToken(request, grant), hidden);
    const own = fieldsFrom(bare, wanted);
    if (isForgeable(request) && isCookieOnly(own))
      throw new GatewayError('ORIGIN_REFUSED', {
        detail: 'a cookie for the auth service, without an Origin',
      });
    const { subject, claims, expiresAt } = await prove(request, { own, ours: ourFields(bare) });
    if (subject !== undefined) grant.subject = subject;
    grant.claims = { ...claims, ...grant.claims, ...subjectIn(claims, config) };
    endBy(grant, expiresAt);
  };
}

function withoutHidden(request: GatewayRequest, names: readonly string[]): GatewayRequest {
  return names.length === 0 ? request : { ...request, query: names.reduce(removeParameter, request.query) };
}

/** The client's own fields, and ours. */
interface Question {
  readonly own: readonly HeaderField[];
  readonly ours: readonly HeaderField[];
}

/** What asks the service about a client, or finds what it has answered a while ago. */
function prover(config: ExternalConfig, { service, verifications }: ExternalDeps, now: () => number) {
  const remembered = config.cache === undefined ? undefined : new RememberedAnswers(config.cache, { now });

  return async function prove(request: GatewayRequest, { own, ours }: Question): Promise<Proof> {
    const { id, host, clientAddress } = request;
    // Every request has an id of its own: it is no part of what is asked.
    const question = [...own, ...ours];
    const fields = [...question, ['x-request-id', id] as const];
    // Who brings nothing guesses nothing: whoever is not signed in yet must not lock out the others of its address.
    const isCounted = own.length > 0;
    const ask = async () => {
      if (isCounted) verifications.check(clientAddress);
      const answer = await service.ask(fields, verifications.keyOf(clientAddress));
      const isRefused = answer.status === 401 || answer.status === 403;
      if (isCounted && isRefused) verifications.failed(clientAddress);
      return readAnswer(answer, config, host, now());
    };
    return remembered === undefined ? ask() : remembered.answer(nameOf(question), ask);
  };
}

/** Said by the service alone: where it names nobody, a token's claim of that name must not stand in. */
function subjectIn(claims: Claims, { subject }: ExternalConfig): Claims {
  return subject === undefined ? {} : { [subject]: claims[subject] };
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
