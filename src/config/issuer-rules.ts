import type { z } from 'zod';
import { isUrl, url } from './fields.ts';

/** What the shape of an issuer alone cannot say. */

type Context = z.core.$RefinementCtx;

interface IssuerShape {
  algorithms: readonly string[];
  jwks?: string | undefined;
  discovery?: true | undefined;
  publicKey?: string | undefined;
  secret?: string | undefined;
  clockTolerance: number;
}

/** More than a minute is no clock that is off, but tokens that live longer than they say. */
const MAX_TOLERANCE_MS = 60_000;

const webUrl = url('http', 'https');

/** A leeway within reason; one key source; HMAC with a secret only, everything else with a public key only (RFC 8725 §2.1). */
export function issuerRules(issuer: IssuerShape, context: Context): void {
  const complain = (path: PropertyKey[], message: string) =>
    context.addIssue({ code: 'custom', path, message });
  if (issuer.clockTolerance > MAX_TOLERANCE_MS) complain(['clockTolerance'], 'is over a minute; at most 1m');
  const sources = (['jwks', 'discovery', 'publicKey', 'secret'] as const).filter(
    (key) => issuer[key] !== undefined,
  );
  if (sources.length !== 1) {
    const found = sources.join(' and ') || 'none';
    complain([], `an issuer has exactly one of jwks, discovery, publicKey, secret; this one has ${found}`);
    return;
  }
  if (issuer.jwks !== undefined && isUrl(issuer.jwks) && !webUrl.safeParse(issuer.jwks).success) {
    complain(['jwks'], 'expected an http or https URL without credentials, or a file');
  }
  const wrong = issuer.algorithms.filter((name) => name.startsWith('HS') !== (sources[0] === 'secret'));
  if (wrong.length > 0) {
    complain(['algorithms'], `${wrong.join(', ')} cannot be verified with a ${sources[0]}`);
  }
}
