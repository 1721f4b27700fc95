import { type CryptoKey, errors, type JWTPayload, type JWTVerifyOptions, jwtVerify } from 'jose';
import type { GatewayError } from '../../errors.ts';
import type { KeySource } from './jwks.ts';
import { invalid, readHeader } from './jwt.ts';
import type { ProvenToken } from './remembered.ts';

/** Says whether a client's token may be looked at. What is remembered to be good is not asked for. */
export interface Guard {
  /** Throws before anything is done for the token. */
  check(): void;
  /** Takes a place for its signature to be looked at, and returns the release; throws where there is none. */
  enter(): () => void;
}

/** What a token is held against. */
export interface ProofTerms {
  readonly keys: KeySource;
  readonly algorithms: readonly string[];
  readonly options: JWTVerifyOptions;
}

/**
 * Proves who has signed a token, and that it fits the options; dates are the caller's to judge, to the millisecond. Rejects
 * with TOKEN_INVALID, KEYS_UNAVAILABLE, or what `guard` throws.
 */
export async function proveToken(token: string, terms: ProofTerms, guard: Guard): Promise<ProvenToken> {
  guard.check();
  const { keys, algorithms, options } = terms;
  const header = readHeader(token, algorithms);
  const candidates = await keys.find(header);
  if (candidates.length === 0) throw invalid(keys.lack(header));
  const leave = guard.enter();
  try {
    return { claims: await tryKeys(token, candidates, options), key: header.kid };
  } finally {
    leave();
  }
}

/**
 * The claims, by the first key that made the signature. Several fit only where a key set has keys without kid. Those of an
 * expired token are given too, to be remembered like others: one that is shown again and again costs no signature.
 */
async function tryKeys(
  token: string,
  keys: readonly CryptoKey[],
  options: JWTVerifyOptions,
): Promise<JWTPayload> {
  for (const key of keys) {
    try {
      return (await jwtVerify(token, key, options)).payload;
    } catch (error) {
      if (error instanceof errors.JWTExpired) return error.payload;
      if (!isWrongKey(error)) throw refusal(error);
    }
  }
  throw invalid('no key of the issuer made its signature');
}

/** jose throws a TypeError for a key it will not use, such as RSA below 2048 bits. */
function isWrongKey(error: unknown): boolean {
  return error instanceof errors.JWSSignatureVerificationFailed || error instanceof TypeError;
}

function refusal(error: unknown): GatewayError {
  return invalid(error instanceof errors.JOSEError ? error.message : 'it cannot be read');
}

/** A number of seconds since the epoch, with a fraction or without (RFC 7519 §2); JSON reads 1e400 as Infinity. */
export function isNumericDate(date: unknown): date is number {
  return typeof date === 'number' && Number.isFinite(date);
}
