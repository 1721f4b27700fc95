import { GatewayError } from '../errors.ts';
import type { GatewayRequest } from '../http/request.ts';
import { type Check, endBy, type Grant } from './grant.ts';

/** What is known of a client by the time a program is asked about it. */
export interface KnownClient extends Readonly<Pick<Grant, 'subject' | 'claims' | 'issuer' | 'expiresAt'>> {
  /** The name of the route it comes to. */
  readonly route: string;
}

/** What a program adds to what is known: its subject and end in place of what was known, its claims beside them. */
export type Permit = Partial<Pick<Grant, 'subject' | 'claims' | 'expiresAt'>>;

/**
 * A program's own say, after all that the configuration asks for. Refuses with `false`, or by throwing a GatewayError of
 * its choice; anything else lets in, and an object adds to what is known of the client.
 */
export type Authorize = (
  request: GatewayRequest,
  client: KnownClient,
) => undefined | boolean | Permit | Promise<undefined | boolean | Permit>;

/**
 * Compiles a program's say for a route. Throws FORBIDDEN where it says no, AUTH_UNAVAILABLE if it has said nothing after
 * `withinMs`, and what it throws. Preflights, which bring no proof, are not asked about.
 */
export function checkAuthorize(authorize: Authorize, route: string, withinMs: number): Check {
  return async function authorized(request, grant) {
    if (grant.isUnproven) return;
    const { subject, claims, issuer, expiresAt } = grant;
    // A copy: claims are remembered with their token.
    const client = { route, subject, claims: structuredClone(claims), issuer, expiresAt };
    const answer = await within(Promise.resolve(authorize(request, client)), withinMs);
    if (answer === false) throw new GatewayError('FORBIDDEN', { detail: 'authorize said no' });
    if (answer instanceof Error) throw answer;
    if (typeof answer !== 'object' || answer === null) return;
    grant.subject = answer.subject ?? subject;
    grant.claims = { ...claims, ...answer.claims };
    endBy(grant, endIn(answer, Date.now()));
  };
}

/** What is no date must not last for ever. */
function endIn({ expiresAt }: Permit, now: number): number | undefined {
  if (expiresAt === undefined) return undefined;
  if (!Number.isFinite(expiresAt)) throw new TypeError('authorize: expiresAt is no finite number');
  if (expiresAt <= now)
    throw new GatewayError('TOKEN_EXPIRED', { detail: 'authorize gave an end that has passed' });
  return expiresAt;
}

async function within<T>(asked: Promise<T>, ms: number): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    reject(new GatewayError('AUTH_UNAVAILABLE', { detail: `authorize has said nothing after ${ms} ms` }));
  }, ms);
  try {
    return await Promise.race([asked, promise]);
  } finally {
    clearTimeout(timer);
  }
}
