import { hash } from 'node:crypto';
import type { JWTPayload } from 'jose';

/** Tokens whose signature has been proven, so that a client that comes again costs a hash and no signature. */

/** The clients of some minutes on a busy gateway; with claims of 1 KiB they take 4 MiB. */
const SIZE = 4096;

/**
 * What one issuer's tokens said when they were verified, for as long as its set of keys stays the same: everything is
 * forgotten with the first use of another set. Holds a bounded number, the least recently used give way, and hashes
 * instead of tokens. Whether a token's time has come or passed is the caller's to judge, at each use anew.
 */
export class RememberedTokens {
  readonly #claims = new Map<string, JWTPayload>();
  readonly #size: number;
  #keys: object | undefined;

  constructor(size: number = SIZE) {
    this.#size = size;
  }

  /** The claims of a token that one of `keys` has proven; undefined if that is not known. */
  recall(token: string, keys: object): JWTPayload | undefined {
    this.#hold(keys);
    const name = nameOf(token);
    const claims = this.#claims.get(name);
    if (claims === undefined) return undefined;
    // A Map keeps the order of insertion: the one used last goes to its end.
    this.#claims.delete(name);
    this.#claims.set(name, claims);
    return claims;
  }

  /** Remembers the claims of a token that one of `keys` has proven. */
  add(token: string, keys: object, claims: JWTPayload): void {
    this.#hold(keys);
    this.#claims.set(nameOf(token), claims);
    if (this.#claims.size <= this.#size) return;
    const [oldest] = this.#claims.keys();
    this.#claims.delete(oldest as string);
  }

  #hold(keys: object): void {
    if (keys !== this.#keys) this.#claims.clear();
    this.#keys = keys;
  }
}

/** All of the token goes into it, signature included. */
function nameOf(token: string): string {
  return hash('sha256', token, 'base64');
}
