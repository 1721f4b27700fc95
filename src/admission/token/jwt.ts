import { decodeJwt, decodeProtectedHeader, type ProtectedHeaderParameters } from 'jose';
import { GatewayError } from '../../errors.ts';

/** What can be said of a JWT in compact form (RFC 7519, RFC 7515 §7.1) before any key has been tried. Pure. */

const MAX_TOKEN_LENGTH = 8 * 1024;
const MAX_KID_LENGTH = 128;
const COMPACT_FORM = /^[\w-]+\.[\w-]+\.[\w-]+$/;

/** The only header parameters that have a say; `jku`, `x5u`, `jwk` and `x5c` never do (RFC 8725 §3.10). */
export interface TokenHeader {
  readonly alg: string;
  readonly kid: string | undefined;
}

/**
 * Reads the header of a token of at most 8 KiB and exactly three parts whose `alg` is one of `algorithms`.
 * Throws TOKEN_INVALID for any other.
 */
export function readHeader(token: string, algorithms: readonly string[]): TokenHeader {
  checkForm(token);
  const { alg, kid, crit, b64, enc } = decodeHeader(token);
  // RFC 7515 §4.1.11: what `crit` names must be understood, and nothing beyond the base is.
  if (crit !== undefined || b64 !== undefined) throw invalid('the header asks for an extension');
  if (enc !== undefined) throw invalid('the token is encrypted');
  if (alg === undefined || !algorithms.includes(alg))
    throw invalid('the algorithm is not one of this issuer');
  if (kid !== undefined && !isKeyId(kid)) throw invalid('the kid is not a text of at most 128 characters');
  return { alg, kid };
}

/**
 * The `iss` a token claims to have: good for choosing the verifier to ask, and for nothing else.
 * Undefined if there is none. Throws TOKEN_INVALID for what is not a token.
 */
export function unverifiedIssuer(token: string): string | undefined {
  checkForm(token);
  try {
    const { iss } = decodeJwt(token);
    return typeof iss === 'string' ? iss : undefined;
  } catch {
    throw invalid('the claims are not a JSON object');
  }
}

/** TOKEN_INVALID, with the reason for the log. */
export function invalid(detail: string): GatewayError {
  // Never a cause: jose's errors carry the claims along, and JSON.parse quotes the text it could not read.
  return new GatewayError('TOKEN_INVALID', { detail });
}

/** Whether a text has the three parts of a JWT. */
export function isCompact(token: string): boolean {
  return COMPACT_FORM.test(token);
}

function checkForm(token: string): void {
  if (token.length > MAX_TOKEN_LENGTH) throw invalid('the token is larger than 8 KiB');
  if (!isCompact(token)) throw invalid('the token is not three parts in base64url');
}

function decodeHeader(token: string): ProtectedHeaderParameters {
  try {
    return decodeProtectedHeader(token);
  } catch {
    throw invalid('the header is not a JSON object');
  }
}

function isKeyId(kid: unknown): boolean {
  return typeof kid === 'string' && kid.length <= MAX_KID_LENGTH;
}
