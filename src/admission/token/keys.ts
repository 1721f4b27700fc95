import { createPublicKey, type KeyObject } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { type CryptoKey, importSPKI } from 'jose';
import type { IssuerConfig } from '../../config/schema.ts';
import { type FindKeys, type KeySource, readKeySet } from './jwks.ts';
import { discoveredPlace, fixedPlace } from './key-set-place.ts';
import { openRemoteKeys, type RemoteDeps } from './remote-jwks.ts';

/** Where the keys of an issuer come from: a secret, a public key, a key set in a file, or one behind a URL. */

/**
 * Opens the one key source of an issuer. Rejects with an Error naming the file that cannot be used; what is behind a URL
 * comes later.
 */
export async function openKeys(issuer: IssuerConfig, deps: RemoteDeps = {}): Promise<KeySource> {
  const { algorithms, secret, publicKey, jwks, discovery } = issuer;
  if (secret !== undefined) return fixed(await secretKeys(secret, algorithms));
  if (publicKey !== undefined) return fixed(await pemKeys(publicKey, algorithms));
  if (discovery) return openRemoteKeys(discoveredPlace(issuer.issuer), algorithms, deps);
  if (jwks === undefined) throw new Error('an issuer needs one of jwks, discovery, publicKey, secret');
  if (/^https?:/i.test(jwks)) return openRemoteKeys(fixedPlace(jwks), algorithms, deps);
  return fixed(await fileKeys(jwks, algorithms));
}

function fixed(find: FindKeys): KeySource {
  const lack = () => 'the issuer has no key of this kid and algorithm';
  return { find, lack, current: find, ready: true, ageMs: 0, failures: 0, close() {} };
}

async function secretKeys(secret: string, algorithms: readonly string[]): Promise<FindKeys> {
  const bytes = new TextEncoder().encode(secret);
  return keyPerAlgorithm(algorithms, (alg) =>
    crypto.subtle.importKey('raw', bytes, { name: 'HMAC', hash: `SHA-${alg.slice(2)}` }, false, ['verify']),
  );
}

async function pemKeys(file: string, algorithms: readonly string[]): Promise<FindKeys> {
  const pem = await readFile(file, 'utf8');
  if (pem.includes('PRIVATE KEY')) throw new Error(`publicKey ${file}: this is a private key`);
  try {
    const spki = strongEnough(createPublicKey(pem)).export({ type: 'spki', format: 'pem' }).toString();
    return await keyPerAlgorithm(algorithms, (alg) => importSPKI(spki, alg));
  } catch (cause) {
    throw new Error(`publicKey ${file}: not a public key for ${algorithms.join(', ')}`, { cause });
  }
}

/** RFC 7518 §3.3: RSA keys have 2048 bits or more. */
function strongEnough(key: KeyObject): KeyObject {
  const bits = key.asymmetricKeyDetails?.modulusLength;
  if (bits !== undefined && bits < 2048) throw new Error(`an RSA key of ${bits} bits is too short`);
  return key;
}

async function fileKeys(file: string, algorithms: readonly string[]): Promise<FindKeys> {
  const text = await readFile(file, 'utf8');
  try {
    return await readKeySet(text, algorithms);
  } catch (cause) {
    throw new Error(`jwks ${file}: not a key set for ${algorithms.join(', ')}`, { cause });
  }
}

/** A single key that goes by no name, imported once for each algorithm; a token's `kid` has nothing to choose. */
async function keyPerAlgorithm(
  algorithms: readonly string[],
  importFor: (alg: string) => Promise<CryptoKey>,
): Promise<FindKeys> {
  const imported = await Promise.all(algorithms.map(async (alg) => [alg, [await importFor(alg)]] as const));
  const keys = new Map<string, readonly CryptoKey[]>(imported);
  return async function find({ alg }) {
    return keys.get(alg) ?? [];
  };
}
