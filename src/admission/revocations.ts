import { GatewayError } from '../errors.ts';
import type { Grant, TokenMarks } from './grant.ts';

/** By what clients are revoked. */
export const REVOKED_BY = ['jti', 'sid', 'key', 'subject'] as const;
export type RevokedBy = (typeof REVOKED_BY)[number];

/** Clients that are not let in any more, whatever they show. */
export interface Revocation {
  readonly by: RevokedBy;
  readonly value: string;
  /** `iss` of the tokens that are meant; absent: whoever issued them. */
  readonly issuer?: string | undefined;
  /** When it was made, in milliseconds since the epoch: of a subject, tokens that were issued later are good. */
  readonly at: number;
  /** When it is forgotten: by then the tokens that it names have expired. */
  readonly until: number;
}

/** What a client has proven itself with, as far as it can be revoked by it. */
export interface Proof extends TokenMarks {
  readonly subject?: string | undefined;
  readonly issuer?: string | undefined;
}

/** Some 200 bytes each. */
const MOST = 100_000;
/** How often those that are over are looked for. */
const SWEEP_MS = 60_000;

/** What is revoked, in memory. To judge a client costs a few look-ups, and nothing while nothing is revoked. */
export class Revocations {
  readonly #entries = new Map<string, Revocation>();
  readonly #listeners: (() => void)[] = [];
  readonly #now: () => number;
  readonly #sweeping: NodeJS.Timeout;

  /** `now` is the time of day, in milliseconds since the epoch. */
  constructor(now = Date.now) {
    this.#now = now;
    this.#sweeping = setInterval(() => this.#sweep(), SWEEP_MS).unref();
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Those that count now. */
  *[Symbol.iterator](): Iterator<Revocation> {
    const now = this.#now();
    for (const entry of this.#entries.values()) if (entry.until > now) yield entry;
  }

  /** Revokes, or revokes anew. Throws REVOCATIONS_FULL. */
  add(entry: Revocation): void {
    const key = keyOf(entry.by, entry.value, entry.issuer);
    if (!this.#entries.has(key) && this.#entries.size >= MOST) this.#sweep();
    if (!this.#entries.has(key) && this.#entries.size >= MOST) throw new GatewayError('REVOCATIONS_FULL');
    this.#entries.set(key, entry);
    for (const listener of this.#listeners) listener();
  }

  /** Takes one back; false if there is none. */
  remove({ by, value, issuer }: Pick<Revocation, 'by' | 'value' | 'issuer'>): boolean {
    return this.#entries.delete(keyOf(by, value, issuer));
  }

  /** Whether who has proven itself so is not to be let in, or not to stay. */
  isRevoked(proof: Proof): boolean {
    if (this.#entries.size === 0) return false;
    return REVOKED_BY.some((by) => {
      const value = proof[by];
      if (value === undefined) return false;
      return [proof.issuer, undefined].some((issuer) => this.#counts(by, value, issuer, proof.issuedAt));
    });
  }

  /** Calls `listener` after each one that is added. */
  onAdded(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** Again is a no-op. */
  close(): void {
    clearInterval(this.#sweeping);
  }

  #counts(by: RevokedBy, value: string, issuer: string | undefined, issuedAt = 0): boolean {
    const entry = this.#entries.get(keyOf(by, value, issuer));
    if (entry === undefined || entry.until <= this.#now()) return false;
    return by !== 'subject' || issuedAt <= entry.at;
  }

  #sweep(): void {
    const now = this.#now();
    for (const [key, { until }] of this.#entries) if (until <= now) this.#entries.delete(key);
  }
}

/** What of a grant can be revoked. */
export function proofOf({ subject, issuer, marks }: Pick<Grant, 'subject' | 'issuer' | 'marks'>): Proof {
  return { ...marks, subject, issuer };
}

function keyOf(by: RevokedBy, value: string, issuer: string | undefined): string {
  return JSON.stringify([by, issuer ?? null, value]);
}
