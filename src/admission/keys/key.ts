import { hash, randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';

/**
 * What an API key looks like: `sp_`, by which secret scanners know it, and in base64url 256 random bits with their CRC-32,
 * by which a key that was cut or mistyped is told from one that nobody knows.
 */

const PREFIX = 'sp_';
const RANDOM_BYTES = 32;
const CHECK_BYTES = 4;
const LENGTH = 51;

/** A new key, 51 characters long. */
export function makeKey(): string {
  const random = randomBytes(RANDOM_BYTES);
  return PREFIX + Buffer.concat([random, checkOf(random)]).toString('base64url');
}

/**
 * The hash by which a key is known: `sha256:` and hexadecimal digits. Once is enough, and no salt: nobody can go through
 * the keys there might be, as they could through passwords.
 */
export function hashOfKey(key: string): string {
  return `sha256:${hash('sha256', key, 'hex')}`;
}

/** What is wrong with a key that nobody knows, for the log. */
export function whyUnknown(key: string): string {
  if (!key.startsWith(PREFIX)) return 'it is none of the API keys';
  const bytes = Buffer.from(key.slice(PREFIX.length), 'base64url');
  const random = bytes.subarray(0, RANDOM_BYTES);
  const isWhole = key.length === LENGTH && bytes.subarray(RANDOM_BYTES).equals(checkOf(random));
  return isWhole ? 'an API key that is not in the file' : 'an API key that was cut or mistyped';
}

function checkOf(random: Buffer): Buffer {
  const check = Buffer.alloc(CHECK_BYTES);
  check.writeUInt32BE(crc32(random));
  return check;
}
