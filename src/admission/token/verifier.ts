import { type CryptoKey, errors, type JWTPayload, type JWTVerifyOptions, jwtVerify } from 'jose';
import type { IssuerConfig } from '../../config/schema.ts';
import { GatewayError } from '../../errors.ts';
import type { TokenMarks } from '../grant.ts';
import type { KeySource, KeyStatus } from './jwks.ts';
import { invalid, readHeader } from './jwt.ts';
import { openKeys } from './keys.ts';
import { type ProvenToken, RememberedTokens } from './remembered.ts';
import type { RemoteDeps } from './remote-jwks.ts';

/** A token whose signature and claims have been checked. */
export interface Verified {
  /** `sub`. */
  readonly subject?: string;
  readonly claims: Readonly<Record<string, unknown>>;
  /** When it ends, in milliseconds since the epoch: `exp`, or where that has passed, the end of the tolerance. */
  readonly expiresAt: number;
  /** So many milliseconds of the tolerance are left then; absent: none. */
  readonly graceMs?: number;
  readonly marks?: TokenMarks;
}

/** Says whether a client's token may be looked at. What is remembered to be good is not asked for. */
export interface Guard {
  /** Throws before anything is done for the token. */
  check(): void;
  /** Takes a place for its signature to be looked at, and returns the release; throws where there is none. */
  enter(): () => void;
}

const OPEN: Guard = { check() {}, enter: () => () => undefined };

export interface TokenVerifier {
  /** The `iss` of the tokens it accepts. */
  readonly issuer: string;
  /**
   * Rejects with TOKEN_INVALID, TOKEN_EXPIRED (only once the signature is proven), KEYS_UNAVAILABLE, or what `guard`
   * throws; without one, every token is looked at.
   */
  verify(token: string, guard?: Guard): Promise<Verified>;
  /** It has keys to verify with. */
  readonly ready: boolean;
  readonly keys: KeyStatus;
  /** Stops refreshing keys; closing twice is a no-op. */
  close(): void;
}

export interface VerifierDeps extends RemoteDeps {
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
}

/**
 * Opens the keys of an issuer and pins everything else a token must fit: algorithms, `iss`, `aud`, `exp`, `nbf`.
 * Rejects with an Error if a file of keys cannot be used; a key set behind a URL may come later.
 */
export async function createVerifier(issuer: IssuerConfig, deps: VerifierDeps = {}): Promise<TokenVerifier> {
  return new IssuerVerifier(issuer, await openKeys(issuer, deps), deps.now);
}

class IssuerVerifier implements TokenVerifier {
  readonly issuer: string;
  readonly keys: KeySource;
  readonly #algorithms: readonly string[];
  readonly #toleranceS: number;
  readonly #pinned: JWTVerifyOptions;
  readonly #now: () => number;
  readonly #remembered = new RememberedTokens();

  constructor(
    { issuer, audience, algorithms, clockTolerance }: IssuerConfig,
    keys: KeySource,
    now = Date.now,
  ) {
    this.issuer = issuer;
    this.#algorithms = algorithms;
    this.#toleranceS = clockTolerance / 1000;
    // jose counts whole seconds: it may be a second too generous, and `judge` says what is due to the millisecond.
    this.#pinned = { algorithms, issuer, clockTolerance: this.#toleranceS + 1 };
    // An empty list would be one that no token can be in; none: whatever it says, or nothing.
    if (audience.length > 0) this.#pinned.audience = audience;
    this.keys = keys;
    this.#now = now;
  }

  get ready(): boolean {
    return this.keys.ready;
  }

  async verify(token: string, guard: Guard = OPEN): Promise<Verified> {
    const { claims, key } = this.#recall(token) ?? (await this.#prove(token, guard));
    const nowMs = this.#now();
    const { sub, exp } = judge(claims, nowMs / 1000, this.#toleranceS);
    const expiresAt = exp * 1000;
    const graceMs = this.#toleranceS * 1000;
    const verified = { subject: sub, claims, marks: marksOf(claims, key) };
    if (expiresAt > nowMs) return { ...verified, expiresAt, graceMs };
    // Let in by the tolerance alone, it is good for as long as the tolerance lasts.
    return { ...verified, expiresAt: expiresAt + graceMs };
  }

  close(): void {
    this.keys.close();
  }

  /** The claims of a token whose signature was proven before, with a key that is still in use. */
  #recall(token: string): ProvenToken | undefined {
    const { current } = this.keys;
    return current && this.#remembered.recall(token, current);
  }

  async #prove(token: string, guard: Guard): Promise<ProvenToken> {
    guard.check();
    // Taken now: the keys may change while the token is being proven, and with them the answer.
    const { current } = this.keys;
    const header = readHeader(token, this.#algorithms);
    const candidates = await this.keys.find(header);
    if (candidates.length === 0) throw invalid(this.keys.lack(header));
    const leave = guard.enter();
    try {
      const claims = await tryKeys(token, candidates, {
        ...this.#pinned,
        currentDate: new Date(this.#now()),
      });
      const proven = { claims, key: header.kid };
      if (current !== undefined) this.#remembered.add(token, current, proven);
      return proven;
    } finally {
      leave();
    }
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

/**
 * What jose leaves open: no `exp`, numbers JSON reads as Infinity (1e400), an `iat` to come, and the time within a second.
 * Each date may have a fraction (RFC 7519 §2). Throws TOKEN_EXPIRED (§4.1.4), or TOKEN_INVALID.
 */
function judge(
  claims: JWTPayload,
  nowS: number,
  toleranceS: number,
): { sub: string | undefined; exp: number } {
  const { sub, exp, nbf = 0, iat = 0 } = claims;
  if (!isNumericDate(exp)) throw invalid('exp is not a finite number');
  if (nowS >= exp + toleranceS) throw new GatewayError('TOKEN_EXPIRED', { detail: 'exp lies in the past' });
  for (const [name, date] of Object.entries({ nbf, iat })) {
    if (!isNumericDate(date) || date > nowS + toleranceS) throw invalid(`${name} is no time that has come`);
  }
  if (sub !== undefined && typeof sub !== 'string') throw invalid('sub is not a text');
  return { sub, exp };
}

function marksOf({ jti, sid, iat }: JWTPayload, key: string | undefined): TokenMarks {
  return {
    jti: typeof jti === 'string' ? jti : undefined,
    sid: typeof sid === 'string' ? sid : undefined,
    key,
    issuedAt: isNumericDate(iat) ? iat * 1000 : undefined,
  };
}

function isNumericDate(date: unknown): date is number {
  return typeof date === 'number' && Number.isFinite(date);
}
