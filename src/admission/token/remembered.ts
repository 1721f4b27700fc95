import { hash } from 'node:crypto';
import type { JWTPayload } from 'jose';

/** Tokens whose signature has been proven, so that a client that comes again costs a hash and no signature. */

/** The clients of some minutes on a busy gateway; with claims of 1 KiB they take 4 MiB. */
const SIZE = 4096;

/** What a token says, and which key has signed it. */
export interface ProvenToken {
  readonly claims: JWTPayload;
  /** `kid`. */
  readonly key: string | undefined;
}

/**
 * What one issuer's tokens said when they were verified, for as long as its set of keys stays the same: everything is
 * forgotten with the first use of another set. Holds a bounded number, the least recently used give way, and hashes
 * instead of tokens. Whether a token's time has come or passed is the caller's to judge, at each use anew.
 */
export class RememberedTokens {
  readonly #proven = new Map<string, ProvenToken>();
  readonly #size: number;
  #keys: object | undefined;

  constructor(size: number = SIZE) {
    this.#size = size;
  }

  /** The claims of a token that one of `keys` has proven; undefined if that is not known. */
  recall(token: string, keys: object): ProvenToken | undefined {
    this.#hold(keys);
    const name = nameOf(token);
    const proven = this.#proven.get(name);
    if (proven === undefined) return undefined;
    // A Map keeps the order of insertion: the one used last goes to its end.
    this.#proven.delete(name);
    this.#proven.set(name, proven);
    return proven;
  }

  /** Remembers the claims of a token that one of `keys` has proven. */
  add(token: string, keys: object, proven: ProvenToken): void {
    this.#hold(keys);
    this.#proven.set(nameOf(token), proven);
    if (this.#proven.size <= this.#size) return;
    const [oldest] = this.#proven.keys();
    this.#proven.delete(oldest as string);
  }

  #hold(keys: object): void {
    if (keys !== this.#keys) this.#proven.clear();
    this.#keys = keys;
  }
}

/** All of the token goes into it, signature included. */
function nameOf(token: string): string {
  return hash('sha256', token, 'base64');
}
