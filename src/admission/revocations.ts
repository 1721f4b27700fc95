import { GatewayError } from '../errors.ts';
import type { Register } from '../store/commons.ts';
import { type Grant, LATEST_DATE, type TokenMarks } from './grant.ts';

/** By what clients are revoked. */
export const REVOKED_BY = ['jti', 'sid', 'key', 'subject'] as const;
export type RevokedBy = (typeof REVOKED_BY)[number];

/** Whom a revocation means. */
export interface Revoked {
  readonly by: RevokedBy;
  readonly value: string;
  /** `iss` of the tokens that are meant; absent: whoever issued them. */
  readonly issuer?: string | undefined;
}

/** Clients that are not let in any more, whatever they show. */
export interface Revocation extends Revoked {
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

/**
 * What is revoked, in memory: by this gateway and the others, and as long as they stand there by those who are listed. To judge a
 * client costs a few look-ups, and nothing while nothing is revoked.
 */
export class Revocations {
  readonly #entries = new Map<string, Revocation>();
  #listed: ReadonlyMap<string, Revoked> = new Map();
  readonly #listeners: (() => void)[] = [];
  readonly #now: () => number;
  readonly #register: Register | undefined;
  readonly #sweeping: NodeJS.Timeout;

  /** `now` is the time of day, in milliseconds since the epoch; all who have the register revoke what one of them does. */
  constructor(now = Date.now, register?: Register) {
    this.#now = now;
    this.#register = register;
    this.#sweeping = setInterval(() => this.#sweep(), SWEEP_MS).unref();
    register?.listen({
      put: ({ name, text }) => this.#hear(name, text),
      removed: (name) => void this.#entries.delete(name),
    });
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
    this.#set(key, entry);
    this.#register?.put({ name: key, text: JSON.stringify(entry), until: entry.until });
  }

  /** Takes one back; false if there is none. */
  remove({ by, value, issuer }: Revoked): boolean {
    const key = keyOf(by, value, issuer);
    this.#register?.remove(key);
    return this.#entries.delete(key);
  }

  /** Those that are revoked for as long as they stand in a list. */
  get listed(): Iterable<Revoked> {
    return this.#listed.values();
  }

  /** Puts another list in the place of the one there was. */
  list(listed: Iterable<Revoked>): void {
    this.#listed = new Map([...listed].map((each) => [keyOf(each.by, each.value, each.issuer), each]));
    this.#tell();
  }

  /** Whether who has proven itself so is not to be let in, or not to stay. */
  isRevoked(proof: Proof): boolean {
    if (this.#entries.size === 0 && this.#listed.size === 0) return false;
    return REVOKED_BY.some((by) => {
      const value = proof[by];
      if (value === undefined) return false;
      return [proof.issuer, undefined].some((issuer) => this.#counts(by, value, issuer, proof.issuedAt));
    });
  }

  /** Calls `listener` after each one that is added, and each new list. */
  onAdded(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** Again is a no-op. */
  close(): void {
    clearInterval(this.#sweeping);
  }

  #counts(by: RevokedBy, value: string, issuer: string | undefined, issuedAt: number | undefined): boolean {
    const key = keyOf(by, value, issuer);
    if (this.#listed.has(key)) return true;
    const entry = this.#entries.get(key);
    return entry !== undefined && entry.until > this.#now() && isBefore(entry, issuedAt);
  }

  /** What another one has revoked counts, however many there are, if it says what its name does. */
  #hear(name: string, text: string): void {
    const entry = readRevocation(text);
    if (entry !== undefined && keyOf(entry.by, entry.value, entry.issuer) === name) this.#set(name, entry);
  }

  #set(key: string, entry: Revocation): void {
    this.#entries.set(key, entry);
    this.#tell();
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
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

/** Whether a revocation means who has proven itself so. */
export function means(entry: Revocation, proof: Proof): boolean {
  const isIssuer = entry.issuer === undefined || entry.issuer === proof.issuer;
  return proof[entry.by] === entry.value && isIssuer && isBefore(entry, proof.issuedAt);
}

/** A revocation as another process tells it; undefined for what is none. */
function readRevocation(text: string): Revocation | undefined {
  try {
    const entry = JSON.parse(text) as Revocation;
    const isNamed = REVOKED_BY.includes(entry.by) && typeof entry.value === 'string';
    const isIssuer = entry.issuer === undefined || typeof entry.issuer === 'string';
    return isNamed && isIssuer && [entry.at, entry.until].every(isDate) ? entry : undefined;
  } catch {
    return undefined;
  }
}

function isDate(given: unknown): boolean {
  return typeof given === 'number' && Math.abs(given) <= LATEST_DATE;
}

/** Of a subject, tokens that are issued later are good. */
function isBefore({ by, at }: Revocation, issuedAt = 0): boolean {
  return by !== 'subject' || issuedAt <= at;
}

function keyOf(by: RevokedBy, value: string, issuer: string | undefined): string {
  return JSON.stringify([by, issuer ?? null, value]);
}
