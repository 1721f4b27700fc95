import { createPrivateKey, type KeyObject, type X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createSecureContext, type SecureContext, type SecureContextOptions } from 'node:tls';
import { type Chain, checkChain, checkDates, endOf, joinChain, splitChain } from './certificate-chain.ts';
import { CertificateError } from './certificate-error.ts';
import { fileFault } from './files.ts';

export { CertificateError };

/** The certificates that a configuration names, read and judged before anybody is shown one. */

export interface IdentityFiles {
  readonly cert: string;
  readonly key: string;
}

/** A certificate with its chain, and its private key, in PEM. */
export interface Identity {
  readonly files: IdentityFiles;
  readonly certificate: X509Certificate;
  /** When the first certificate of the chain ends, in milliseconds since the epoch. */
  readonly expiresAt: number;
  readonly cert: string;
  readonly key: Buffer;
}

/** Whoever shows a certificate that one of these has signed is believed. */
export interface Authorities {
  readonly file: string;
  readonly pem: string;
  /** When the last of them ends, in milliseconds since the epoch. */
  readonly expiresAt: number;
}

/**
 * Reads a certificate and its key. Throws CertificateError naming the file that is unreadable, malformed, not valid at
 * `now`, not in order, or no match for the other.
 */
export function readIdentity(files: IdentityFiles, now: Date = new Date()): Identity {
  const { pem: key, privateKey } = readKey(files.key);
  const chain = readChain(files.cert, now);
  const [certificate] = chain;
  checkKey(files, chain, privateKey);
  const cert = joinChain(chain);
  secureContext(files.cert, { cert, key });
  return { files, certificate, expiresAt: Math.min(...chain.map(endOf)), cert, key };
}

/** Reads a private key. Throws CertificateError. */
export function readKey(file: string): { pem: Buffer; privateKey: KeyObject } {
  const pem = readPem(file, 'private key');
  return { pem, privateKey: parseKey(file, pem) };
}

/** Reads a certificate, and behind it those of its issuers. Throws CertificateError. */
export function readChain(file: string, now: Date = new Date()): Chain {
  const chain = splitChain(file, readPem(file, 'certificate'));
  checkChain(file, chain);
  checkDates(file, chain, now);
  return chain;
}

/**
 * Reads the certificates of authorities. Throws CertificateError if the file is unreadable or holds something else, or,
 * where a `now` is given, none that is still valid then.
 */
export function readAuthorities(file: string, now?: Date): Authorities {
  const all = splitChain(file, readPem(file, 'authorities'));
  const expiresAt = Math.max(...all.map(endOf));
  if (now !== undefined && expiresAt < now.getTime())
    throw new CertificateError(
      `every certificate in ${file} has expired, the last one on ${new Date(expiresAt).toUTCString()}; renew it`,
    );
  const pem = joinChain(all);
  secureContext(file, { ca: pem });
  return { file, pem, expiresAt };
}

/** What OpenSSL is to work with. Throws CertificateError, naming `file`, if it does not take it: keys that are too short, say. */
export function secureContext(file: string, options: SecureContextOptions): SecureContext {
  try {
    return createSecureContext(options);
  } catch (cause) {
    throw new CertificateError(`OpenSSL does not accept ${file}: ${reasonOf(cause)}`, { cause });
  }
}

/** What OpenSSL says in words, where it does; its messages are for those who have its source. */
export function reasonOf(error: unknown): string {
  const { reason, message } = error as Error & { reason?: string };
  return reason ?? message;
}

function readPem(file: string, what: string): Buffer {
  try {
    const fault = fileFault(file);
    if (fault !== undefined) throw new Error(`it ${fault}`);
    return readFileSync(file);
  } catch (cause) {
    throw new CertificateError(`cannot read the ${what} ${file}: ${(cause as Error).message}`, { cause });
  }
}

function parseKey(file: string, pem: Buffer): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch (cause) {
    throw new CertificateError(`${file} is not a private key in PEM form without a passphrase`, { cause });
  }
}

function checkKey({ cert, key }: IdentityFiles, chain: Chain, privateKey: KeyObject): void {
  if (chain[0].checkPrivateKey(privateKey)) return;
  throw new CertificateError(
    `the private key ${key} does not belong to the certificate ${cert}: write both of one renewal`,
  );
}
