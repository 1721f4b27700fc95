import { type CryptoKey, createLocalJWKSet, errors, type JSONWebKeySet } from 'jose';
import type { TokenHeader } from './jwt.ts';
import { keySetFault } from './key-set-text.ts';

/** Finds the imported keys that may have signed a token; none if nothing fits its `alg` and `kid`. */
export type FindKeys = (header: TokenHeader) => Promise<readonly CryptoKey[]>;

/** How fresh the keys of an issuer are. */
export interface KeyStatus {
  /** Milliseconds since they were fetched; undefined while there are none, 0 where they never change. */
  readonly ageMs: number | undefined;
  /** Fetches that failed since the start. */
  readonly failures: number;
}

export interface KeySource extends KeyStatus {
  /** Rejects with KEYS_UNAVAILABLE while there are no keys to look among. */
  readonly find: FindKeys;
  /** Why it has just found none, in words for the log. */
  lack(header: TokenHeader): string;
  /** The set of keys there is now: another object once any key has changed, undefined while there are none. */
  readonly current: object | undefined;
  /** There are keys to look among. */
  readonly ready: boolean;
  /** Stops fetching; the keys at hand stay usable. */
  close(): void;
}

/**
 * Reads a JSON Web Key Set (RFC 7517 §5) and imports its keys. Rejects with an Error if the text is not a key set
 * or holds no public key for any of `algorithms`.
 */
export async function readKeySet(text: string, algorithms: readonly string[]): Promise<FindKeys> {
  const fault = keySetFault(text);
  if (fault !== undefined) throw new Error(fault);
  const keySet = createLocalJWKSet(JSON.parse(text) as JSONWebKeySet);
  const counts = await Promise.all(
    algorithms.map(async (alg) => (await find({ alg, kid: undefined })).length),
  );
  if (counts.every((count) => count === 0)) throw new Error(`no public key for ${algorithms.join(', ')}`);
  return find;

  async function find(header: TokenHeader): Promise<readonly CryptoKey[]> {
    try {
      return [await keySet({ ...header })];
    } catch (error) {
      return error instanceof errors.JWKSMultipleMatchingKeys ? all(error) : [];
    }
  }
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}
