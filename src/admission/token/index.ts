import type { AuthConfig } from '../../config/schema.ts';
import { GatewayError } from '../../errors.ts';
import type { GatewayRequest } from '../../http/request.ts';
import { isForgeable } from '../forgeable.ts';
import { type Check, endBy, type Grant } from '../grant.ts';
import type { ApiKeys, KeyHolder } from '../keys/index.ts';
import { whyUnknown } from '../keys/key.ts';
import { challenge } from './challenge.ts';
import { invalid, isCompact, unverifiedIssuer } from './jwt.ts';
import { type Found, tokenFinder } from './sources.ts';
import type { TokenVerifier, Verified } from './verifier.ts';

/** What a token or an API key may be proven with. */
interface Trusted {
  readonly issuers: readonly TokenVerifier[];
  readonly keys: ApiKeys | undefined;
}

/**
 * Requires a token that one of the route's issuers signed, or one of `keys`; notes subject, claims, expiry
 * and where the token or key stood. `verifiers` are by the issuer's name in the configuration; throws an Error at
 * once if one is not there.
 *
 * What `isExempt` names needs none: preflights, for browsers send none with them. Where the page's request has a token in
 * its query, so has its preflight: it is noted to be taken out, and says nothing about the client.
 *
 * Refuses with TOKEN_MISSING, TOKEN_INVALID, TOKEN_EXPIRED, with BAD_REQUEST for two different tokens,
 * ORIGIN_REFUSED for a cookie without an Origin, KEYS_UNAVAILABLE.
 */
export function checkToken(
  auth: AuthConfig,
  verifiers: ReadonlyMap<string, TokenVerifier>,
  isExempt: (request: GatewayRequest) => boolean = () => false,
  keys?: ApiKeys,
): Check {
  const findTokens = tokenFinder(auth.token);
  const trusted = { issuers: auth.issuer.map((name) => verifierNamed(name, verifiers)), keys };

  return async function token(request, grant) {
    const found = findTokens(request);
    if (isExempt(request)) {
      noteCredentials(grant, found);
      grant.isUnproven = true;
      return;
    }
    const [first] = oneToken(found, request);
    const { subject, claims, expiresAt } = await verified(first.token, trusted, request.host);
    grant.issuer = typeof claims.iss === 'string' ? claims.iss : undefined;
    grant.subject = subject;
    grant.claims = claims;
    endBy(grant, expiresAt);
    noteCredentials(grant, found);
  };
}

function noteCredentials(grant: Grant, [first, ...copies]: readonly Found[]): void {
  grant.credential = first?.credential;
  grant.copies = copies.map((copy) => copy.credential);
}

function verifierNamed(name: string, verifiers: ReadonlyMap<string, TokenVerifier>): TokenVerifier {
  const verifier = verifiers.get(name);
  if (verifier === undefined) throw new Error(`there is no issuer named ${name}`);
  return verifier;
}

/** The one token, in every place it stands in. A client that shows two faces is refused (RFC 6750 §2). */
function oneToken(found: readonly Found[], request: GatewayRequest): readonly [Found, ...Found[]] {
  const [first, ...others] = found;
  if (first === undefined) throw challenge('TOKEN_MISSING', request.host);
  if (others.some((other) => other.token !== first.token)) throw challenge('BAD_REQUEST', request.host);
  if (isForgeable(request) && found.every(({ credential }) => credential.from === 'cookie'))
    throw new GatewayError('ORIGIN_REFUSED', { detail: 'a token in a cookie, without an Origin' });
  return [first, ...others];
}

async function verified(token: string, trusted: Trusted, realm: string): Promise<Verified | KeyHolder> {
  try {
    return await verify(token, trusted);
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    const { code, detail } = error;
    if (code !== 'TOKEN_INVALID' && code !== 'TOKEN_EXPIRED') throw error;
    throw challenge(code, realm, { detail });
  }
}

/** An API key is looked for first: that costs one hash, whatever it is. */
async function verify(token: string, { issuers, keys }: Trusted): Promise<Verified | KeyHolder> {
  const holder = keys?.find(token);
  if (holder !== undefined) return holder;
  if (keys !== undefined && (issuers.length === 0 || !isCompact(token))) throw invalid(whyUnknown(token));
  return verifyByIssuer(token, issuers);
}

/** Several verifiers of one `iss` are tried in turn: an issuer on its way from one kind of key to another. */
async function verifyByIssuer(token: string, trusted: readonly TokenVerifier[]): Promise<Verified> {
  const refusals: unknown[] = [];
  for (const verifier of candidates(token, trusted)) {
    try {
      return await verifier.verify(token);
    } catch (error) {
      refusals.push(error);
    }
  }
  // An expiry is proven by a signature, missing keys prove nothing: either says more than `invalid` does.
  throw refusals.find(saysMore) ?? refusals[0] ?? invalid('its issuer is not one of this route');
}

function saysMore(refusal: unknown): boolean {
  return !(refusal instanceof GatewayError && refusal.code === 'TOKEN_INVALID');
}

/** Claims are read before the signature is checked only where that is the one way to choose. */
function candidates(token: string, trusted: readonly TokenVerifier[]): readonly TokenVerifier[] {
  if (trusted.length === 1) return trusted;
  const issuer = unverifiedIssuer(token);
  return trusted.filter((verifier) => verifier.issuer === issuer);
}
