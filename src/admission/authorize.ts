import { GatewayError } from '../errors.ts';
import type { GatewayRequest } from '../http/request.ts';
import type { Check, Grant } from './grant.ts';

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
    const asked = Promise.resolve(authorize(request, { route, subject, claims, issuer, expiresAt }));
    const answer = await within(asked, withinMs);
    if (answer === false) throw new GatewayError('FORBIDDEN', { detail: 'authorize said no' });
    if (typeof answer !== 'object') return;
    grant.subject = answer.subject ?? subject;
    grant.claims = { ...claims, ...answer.claims };
    grant.expiresAt = Math.min(answer.expiresAt ?? Infinity, expiresAt ?? Infinity);
    if (grant.expiresAt === Infinity) grant.expiresAt = undefined;
  };
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
