import type { JWTPayload, JWTVerifyOptions } from 'jose';
import type { IssuerConfig } from '../../config/schema.ts';
import { GatewayError } from '../../errors.ts';
import type { TokenMarks } from '../grant.ts';
import type { KeySource, KeyStatus } from './jwks.ts';
import { invalid } from './jwt.ts';
import { openKeys } from './keys.ts';
import { isLogoutToken } from './logout-token.ts';
import { type Guard, isNumericDate, proveToken } from './proof.ts';
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

/** With the keys themselves, for other tokens of the same issuer. */
export type OpenedVerifier = TokenVerifier & { readonly keys: KeySource };

export interface VerifierDeps extends RemoteDeps {
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
}

/**
 * Opens the keys of an issuer and pins everything else a token must fit: algorithms, `iss`, `aud`, `exp`, `nbf`.
 * Rejects with an Error if a file of keys cannot be used; a key set behind a URL may come later.
 */
export async function createVerifier(issuer: IssuerConfig, deps: VerifierDeps = {}): Promise<OpenedVerifier> {
  return new IssuerVerifier(issuer, await openKeys(issuer, deps), deps.now);
}

class IssuerVerifier implements OpenedVerifier {
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
    // Taken now: the keys may change while the token is being proven, and with them the answer.
    const { current } = this.keys;
    const options = { ...this.#pinned, currentDate: new Date(this.#now()) };
    const terms = { keys: this.keys, algorithms: this.#algorithms, options };
    const proven = await proveToken(token, terms, guard);
    if (current !== undefined) this.#remembered.add(token, current, proven);
    return proven;
  }
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
  if (isLogoutToken(claims)) throw invalid('it is a logout token, which lets nobody in');
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
