import type { AuthConfig } from '../../config/schema.ts';
import { GatewayError } from '../../errors.ts';
import type { GatewayRequest } from '../../http/request.ts';
import type { Claims } from '../claims.ts';
import { isForgeable } from '../forgeable.ts';
import { type Check, endBy, type Grant, type Proven } from '../grant.ts';
import type { ApiKeys, KeyHolder } from '../keys/index.ts';
import { whyUnknown } from '../keys/key.ts';
import type { Tickets } from '../tickets/index.ts';
import { challenge } from './challenge.ts';
import { checkConfirmation } from './confirmation.ts';
import { invalid, isCompact, unverifiedIssuer } from './jwt.ts';
import type { Guard } from './proof.ts';
import { type Found, inFirstMessage, tokenFinder } from './sources.ts';
import { lackingToken, strayToken } from './stray.ts';
import type { Verifying } from './verifications.ts';
import type { TokenVerifier, Verified } from './verifier.ts';

/** What tokens are checked with. */
export interface TokenDeps {
  /** By the names of `issuers`. */
  readonly verifiers: ReadonlyMap<string, TokenVerifier>;
  /** By the files they stand in. */
  readonly keys?: ReadonlyMap<string, ApiKeys> | undefined;
  /** Those that are given for tokens. */
  readonly tickets?: Pick<Tickets, 'take'> | undefined;
  /** Bounds what is spent on the proofs of strangers. */
  readonly verifications: Verifying;
}

/** What a token or an API key may be proven with. */
interface Trusted {
  readonly issuers: readonly TokenVerifier[];
  readonly keys: ApiKeys | undefined;
}

/**
 * Requires a token that one of the route's issuers signed, or one of its API keys, in the handshake or else, where that may be, in
 * the first message behind it; notes subject, claims, expiry
 * and where it stood. Throws an Error at once if the route names an issuer or a file of keys that is not among those given.
 *
 * What `isExempt` names needs none: preflights, for browsers send none with them. Where the page's request has a token in
 * its query, so has its preflight: it is noted to be taken out, and says nothing about the client.
 *
 * Refuses with TOKEN_MISSING, TOKEN_INVALID, TOKEN_EXPIRED, with BAD_REQUEST for two different tokens,
 * ORIGIN_REFUSED for a cookie without an Origin, KEYS_UNAVAILABLE, RATE_LIMITED for a client from whose address come too
 * many bad ones.
 */
export function checkToken(
  auth: AuthConfig,
  deps: TokenDeps,
  isExempt: (request: GatewayRequest) => boolean = () => false,
): Check {
  const findTokens = tokenFinder(auth.token);
  const oneToken = compileOneToken(auth.token);
  const trusted = trustedBy(auth, deps);
  const { verifications } = deps;

  return async function token(request, grant) {
    const sent = findTokens(request);
    if (isExempt(request)) {
      noteCredentials(grant, sent);
      grant.isUnproven = true;
      return;
    }
    const found = sent.length > 0 ? sent : await inFirstMessage(request);
    const [first] = oneToken(found, request);
    noteProven(grant, await verified(first.token, request));
    noteCredentials(grant, found);
  };

  async function verified(token: string, { clientAddress, host, tls }: GatewayRequest) {
    try {
      const found = holderOf(token, trusted) ?? (await counted(token, clientAddress, trusted, verifications));
      checkConfirmation(found.claims, tls?.certificate);
      return found;
    } catch (error) {
      if (!isBadToken(error)) throw error;
      throw challenge(error.code, host, { detail: error.detail });
    }
  }
}

/** Verifies a token from an address, against which a bad one counts. */
async function counted(
  token: string,
  address: string,
  { issuers }: Trusted,
  verifications: Verifying,
): Promise<Verified> {
  try {
    return await verifyByIssuer(token, issuers, guardOf(verifications, address));
  } catch (error) {
    // An expiry is proven by a signature: it is a client of ours that has not heard of the time.
    if (isBadToken(error) && error.code === 'TOKEN_INVALID') verifications.failed(address);
    throw error;
  }
}

/** Tokens from one address are looked at together, whoever issued them. */
function guardOf(verifications: Verifying, address: string): Guard {
  return { check: () => verifications.check(address), enter: () => verifications.enter(address) };
}

type BadToken = GatewayError & { readonly code: 'TOKEN_INVALID' | 'TOKEN_EXPIRED' };

function isBadToken(error: unknown): error is BadToken {
  return error instanceof GatewayError && (error.code === 'TOKEN_INVALID' || error.code === 'TOKEN_EXPIRED');
}

/** What is proven already stands, whatever a token says of it. As a rule that is nothing, and nothing is copied. */
function beside(proven: Claims, claims: Claims): Claims {
  return Object.keys(proven).length === 0 ? claims : { ...claims, ...proven };
}

/** Writes down what is proven by a token, or what stands for one. */
export function noteProven(grant: Grant, { subject, claims, expiresAt, graceMs, marks }: Proven): void {
  grant.issuer = typeof claims.iss === 'string' ? claims.iss : undefined;
  grant.subject = subject ?? grant.subject;
  grant.claims = beside(grant.claims, claims);
  grant.marks = marks;
  endBy(grant, expiresAt, graceMs);
}

/** Writes down where tokens stood, so that they can be taken out. */
export function noteCredentials(grant: Grant, [first, ...copies]: readonly Found[]): void {
  grant.credential = first?.credential;
  grant.copies = copies.map((copy) => copy.credential);
}

function trustedBy({ issuer, keys: file }: AuthConfig, { verifiers, keys }: TokenDeps): Trusted {
  const issuers = issuer.map((name) => verifierNamed(name, verifiers));
  if (file === undefined) return { issuers, keys: undefined };
  const opened = keys?.get(file);
  if (opened === undefined) throw new Error(`the API keys in ${file} have not been opened`);
  return { issuers, keys: opened };
}

function verifierNamed(name: string, verifiers: ReadonlyMap<string, TokenVerifier>): TokenVerifier {
  const verifier = verifiers.get(name);
  if (verifier === undefined) throw new Error(`there is no issuer named ${name}`);
  return verifier;
}

/** The one token, in every place it stands in. A client that shows two faces is refused (RFC 6750 §2). */
function compileOneToken(sources: AuthConfig['token']) {
  return function oneToken(found: readonly Found[], request: GatewayRequest): readonly [Found, ...Found[]] {
    const [first, ...others] = found;
    if (first === undefined) {
      const detail = strayToken(sources, request) ?? lackingToken(sources, request);
      throw challenge('TOKEN_MISSING', request.host, { detail });
    }
    if (others.some((other) => other.token !== first.token)) throw challenge('BAD_REQUEST', request.host);
    if (isForgeable(request) && found.every(({ credential }) => credential.from === 'cookie'))
      throw new GatewayError('ORIGIN_REFUSED', { detail: 'a token in a cookie, without an Origin' });
    return [first, ...others];
  };
}

/**
 * Who has the API key, which is looked for first; undefined for what may be a token. Nobody can guess a key, and to look for
 * one costs a hash: unknown ones are refused, but not counted.
 */
function holderOf(token: string, { issuers, keys }: Trusted): KeyHolder | undefined {
  const holder = keys?.find(token);
  if (holder !== undefined || keys === undefined) return holder;
  if (issuers.length === 0 || !isCompact(token)) throw invalid(whyUnknown(token));
  return undefined;
}

/** Several verifiers of one `iss` are tried in turn: an issuer on its way from one kind of key to another. */
async function verifyByIssuer(
  token: string,
  trusted: readonly TokenVerifier[],
  guard: Guard,
): Promise<Verified> {
  const able = candidates(token, trusted);
  // Verifiers ask the guard themselves.
  if (able.length === 0) guard.check();
  const refusals: unknown[] = [];
  for (const verifier of able) {
    try {
      return await verifier.verify(token, guard);
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
