import type { JWTPayload, JWTVerifyOptions } from 'jose';
import { decodeProtectedHeader } from 'jose';
import type { IssuerConfig } from '../../config/schema.ts';
import type { KeySource } from './jwks.ts';
import { invalid } from './jwt.ts';
import { type Guard, isNumericDate, proveToken } from './proof.ts';

/** What an identity provider says of a client that has signed out: OpenID Connect Back-Channel Logout 1.0 §2.4. */
export interface Logout {
  readonly issuer: string;
  /** Its own name: it is good once. */
  readonly jti: string;
  /** When it was said, and when it is not good any more; in milliseconds since the epoch. */
  readonly issuedAt: number;
  readonly expiresAt: number;
  /** Who has signed out, by the sign-in or as a whole: one of them at least. */
  readonly sid: string | undefined;
  readonly subject: string | undefined;
}

/** Judges a logout token. Rejects with TOKEN_INVALID, KEYS_UNAVAILABLE, or what `guard` throws. */
export type VerifyLogout = (token: string, guard: Guard) => Promise<Logout>;

/** The member of `events` that makes a token one (§2.4). */
const EVENT = 'http://schemas.openid.net/event/backchannel-logout';

/** `JWT` says nothing: providers that are older than the type write it. */
const TYPES = ['logout+jwt', 'jwt'];

/** Longer texts name nobody. */
const MAX_NAME = 1024;

interface LogoutDeps {
  readonly keys: KeySource;
  readonly clientId: string;
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
}

/** Compiles how the logout tokens of an issuer for one of its clients are judged (§2.6); whether one was shown before is not. */
export function createLogoutVerifier(
  { issuer, algorithms, clockTolerance }: IssuerConfig,
  { keys, clientId, now = Date.now }: LogoutDeps,
): VerifyLogout {
  // jose counts whole seconds, as in verifier.ts.
  const toleranceS = clockTolerance / 1000;
  const pinned: JWTVerifyOptions = { issuer, audience: clientId, clockTolerance: toleranceS + 1 };

  return async function verifyLogout(token, guard) {
    const nowMs = now();
    const options = { ...pinned, algorithms: [...algorithms], currentDate: new Date(nowMs) };
    const { claims } = await proveToken(token, { keys, algorithms, options }, guard);
    checkType(token);
    const { iat, exp } = datesOf(claims, nowMs / 1000, toleranceS);
    const { jti, sid, subject } = namesOf(claims);
    return { issuer, jti, sid, subject, issuedAt: iat * 1000, expiresAt: (exp + toleranceS) * 1000 };
  };
}

/** Whether these are the claims of a logout token, which lets nobody in. */
export function isLogoutToken({ events }: JWTPayload): boolean {
  return typeof events === 'object' && events !== null && Object.hasOwn(events, EVENT);
}

function checkType(token: string): void {
  const { typ } = decodeProtectedHeader(token);
  // RFC 7515 §4.1.9: "application/" may be left out, and case does not count.
  if (
    typ !== undefined &&
    !TYPES.includes(
      String(typ)
        .toLowerCase()
        .replace(/^application\//, ''),
    )
  )
    throw invalid('its typ is not logout+jwt');
}

function datesOf({ iat, exp }: JWTPayload, nowS: number, toleranceS: number) {
  if (!isNumericDate(iat)) throw invalid('iat is missing, or not a finite number');
  if (!isNumericDate(exp)) throw invalid('exp is missing, or not a finite number');
  if (iat > nowS + toleranceS) throw invalid('iat is no time that has come');
  if (nowS >= exp + toleranceS) throw invalid('exp lies in the past');
  return { iat, exp };
}

function namesOf(claims: JWTPayload) {
  if (!isLogoutToken(claims) || !isObject((claims.events as Record<string, unknown>)[EVENT]))
    throw invalid(`events has no member ${EVENT} with a JSON object`);
  // What has one is an ID token, made for somebody else's eyes.
  if (claims.nonce !== undefined) throw invalid('nonce is there, and must not be');
  const jti = nameOf(claims, 'jti');
  const sid = nameOf(claims, 'sid');
  const subject = nameOf(claims, 'sub');
  if (jti === undefined) throw invalid('jti is missing');
  if (sid === undefined && subject === undefined) throw invalid('both sid and sub are missing');
  return { jti, sid, subject };
}

function nameOf(claims: JWTPayload, claim: 'jti' | 'sid' | 'sub'): string | undefined {
  const value: unknown = claims[claim];
  if (value === undefined) return undefined;
  if (typeof value !== 'string' || value === '' || value.length > MAX_NAME)
    throw invalid(`${claim} is not a text of 1 to ${MAX_NAME} characters`);
  return value;
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
