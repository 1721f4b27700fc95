import type { z } from 'zod';
import { isUrl, url } from './fields.ts';

/** What the shape of an issuer alone cannot say. */

type Context = z.core.$RefinementCtx;

interface IssuerShape {
  issuer: string;
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

/** The key sources, and what each verifies with. */
const SOURCES = {
  jwks: 'a jwks',
  discovery: 'keys found by discovery',
  publicKey: 'a publicKey',
  secret: 'a secret',
} as const;

type Complain = (path: PropertyKey[], message: string) => void;

/** A leeway within reason; one key source; HMAC with a secret only, everything else with a public key only (RFC 8725 §2.1). */
export function issuerRules(issuer: IssuerShape, context: Context): void {
  const complain: Complain = (path, message) => context.addIssue({ code: 'custom', path, message });
  if (issuer.clockTolerance > MAX_TOLERANCE_MS) complain(['clockTolerance'], 'is over a minute; at most 1m');
  const [source, ...others] = Object.keys(SOURCES)
    .filter(isSource)
    .filter((key) => issuer[key] !== undefined);
  if (source === undefined || others.length > 0) {
    const found = [source ?? 'none', ...others].join(' and ');
    complain([], `an issuer has exactly one of jwks, discovery, publicKey, secret; this one has ${found}`);
    return;
  }
  if (issuer.jwks !== undefined && isUrl(issuer.jwks) && !webUrl.safeParse(issuer.jwks).success) {
    complain(['jwks'], 'expected an http:// or https:// URL without credentials, or a file');
  }
  if (source === 'discovery') discoveryRule(issuer.issuer, complain);
  const wrong = issuer.algorithms.filter((name) => name.startsWith('HS') !== (source === 'secret'));
  if (wrong.length > 0) {
    complain(['algorithms'], `${wrong.join(', ')} cannot be verified with ${SOURCES[source]}`);
  }
}

function isSource(key: string): key is keyof typeof SOURCES {
  return key in SOURCES;
}

/** The document's address is made of it (OpenID Connect Discovery 1.0 §3, §4). */
function discoveryRule(issuer: string, complain: Complain): void {
  if (webUrl.safeParse(issuer).success && !/[?#]/.test(issuer)) return;
  complain(
    ['issuer'],
    'discovery needs an http:// or https:// URL without credentials, query and fragment; with another `iss`, give its key set as jwks',
  );
}
