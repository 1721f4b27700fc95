import { createHmac, generateKeyPairSync, type KeyObject, constants as rsa, sign } from 'node:crypto';
import type { IssuerConfig } from '../../src/config/schema.ts';

/** Mints tokens by hand, so that the broken ones can be minted too, and not with the library that checks them. */

/** The instant the tests happen at, in milliseconds since the epoch, and in the seconds tokens count. */
export const NOW_MS = 1_800_000_000_000;
export const NOW_S = NOW_MS / 1000;

export const ISSUER = 'https://id.test/';
export const SECRET = 'a secret of sixty-four bytes or more, as HS512 asks for: 0123456789';

export interface SigningKey {
  readonly alg: string;
  /** Absent where the algorithm uses a secret. */
  readonly publicKey?: KeyObject;
  readonly sign: (input: string) => Buffer;
}

const CURVES: Record<string, string> = { ES256: 'P-256', ES384: 'P-384', ES512: 'P-521' };

/** A fresh key for an algorithm; the secret of an HS one is `secret`. */
export function signingKey(alg: string, secret: string | Buffer = SECRET): SigningKey {
  const hash = `sha${alg.slice(2)}`;
  if (alg.startsWith('HS')) return { alg, sign: (input) => createHmac(hash, secret).update(input).digest() };
  if (alg.startsWith('Ed')) return withPair(alg, generateKeyPairSync('ed25519'), null);
  if (alg.startsWith('ES')) {
    const namedCurve = CURVES[alg] as string;
    return withPair(alg, generateKeyPairSync('ec', { namedCurve }), hash, { dsaEncoding: 'ieee-p1363' });
  }
  return rsaKey(alg, 2048);
}

/** An RSA key of any size, for RS and PS algorithms. */
export function rsaKey(alg: string, modulusLength: number): SigningKey {
  const padding = alg.startsWith('PS') ? rsa.RSA_PKCS1_PSS_PADDING : rsa.RSA_PKCS1_PADDING;
  const salt = alg.startsWith('PS') ? { saltLength: rsa.RSA_PSS_SALTLEN_DIGEST } : {};
  const pair = generateKeyPairSync('rsa', { modulusLength });
  return withPair(alg, pair, `sha${alg.slice(2)}`, { padding, ...salt });
}

function withPair(
  alg: string,
  { publicKey, privateKey }: { publicKey: KeyObject; privateKey: KeyObject },
  hash: string | null,
  options: object = {},
): SigningKey {
  return { alg, publicKey, sign: (input) => sign(hash, Buffer.from(input), { key: privateKey, ...options }) };
}

/** Claims that pass, with some changed; a claim set to undefined is left out. */
export function claims(changes: object = {}): object {
  return { iss: ISSUER, aud: 'realtime', sub: 'alice', exp: NOW_S + 3600, ...changes };
}

/** A token that passes, with claims and header parameters changed. */
export function mint(key: SigningKey, changes: object = {}, header: object = {}): string {
  return mintText(key, JSON.stringify({ alg: key.alg, ...header }), JSON.stringify(claims(changes)));
}

/** A properly signed token with any texts, even no JSON, as its header and payload. */
export function mintText(key: SigningKey, header: string, payload: string): string {
  const input = `${encode(header)}.${encode(payload)}`;
  return `${input}.${encode(key.sign(input))}`;
}

/** A token nobody signed. */
export function unsigned(header: object, signature: Buffer | string = Buffer.alloc(64)): string {
  return `${encode(JSON.stringify(header))}.${encode(JSON.stringify(claims()))}.${encode(signature)}`;
}

export function encode(text: string | Buffer): string {
  return Buffer.from(text).toString('base64url');
}

/** The JWK a key set would publish. */
export function jwk(key: SigningKey, extra: object = {}): Record<string, unknown> {
  return { ...(key.publicKey as KeyObject).export({ format: 'jwk' }), ...extra };
}

export function keySet(...keys: object[]): string {
  return JSON.stringify({ keys });
}

/** The PEM text (SPKI) of a key. */
export function pem(key: SigningKey): string {
  return (key.publicKey as KeyObject).export({ type: 'spki', format: 'pem' }).toString();
}

/** An issuer as the configuration gives it; the key source must be among the changes. */
export function issuer(changes: Partial<IssuerConfig>): IssuerConfig {
  return {
    issuer: ISSUER,
    audience: ['realtime'],
    algorithms: ['ES256'],
    clockTolerance: 5_000,
    ...changes,
  };
}

/** The code a promise is rejected with; fails if it is not a GatewayError's. */
export async function codeOf(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(
    () => new Error('it was accepted'),
    (thrown: Error) => thrown,
  );
  if (error.name !== 'GatewayError') throw error;
  return (error as Error & { code: string }).code;
}
