import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createSecureContext, type SecureContext, type SecureContextOptions } from 'node:tls';

/** The certificates that a configuration names, read and judged before anybody is shown one. */

/** A certificate or key does not serve. The message, which names the file, is for the operator. */
export class CertificateError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'CertificateError';
  }
}

export interface IdentityFiles {
  readonly cert: string;
  readonly key: string;
}

/** A certificate with its chain, and its private key, in PEM. */
export interface Identity {
  readonly certificate: X509Certificate;
  readonly context: SecureContext;
  readonly cert: Buffer;
  readonly key: Buffer;
}

/**
 * Reads a certificate and its key. Throws CertificateError naming the file that is unreadable, malformed, not valid at
 * `now`, or no match for the other.
 */
export function readIdentity(files: IdentityFiles, now: Date = new Date()): Identity {
  const [cert, key] = [readPem(files.cert, 'certificate'), readPem(files.key, 'private key')];
  const certificate = parseCertificate(files.cert, cert);
  checkValidity(files.cert, certificate, now);
  if (!certificate.checkPrivateKey(parseKey(files.key, key))) {
    throw new CertificateError(
      `the private key ${files.key} does not belong to the certificate ${files.cert}`,
    );
  }
  return { certificate, context: secureContext(files, { cert, key }), cert, key };
}

/** Reads the certificates of authorities. Throws CertificateError if the file is unreadable or begins with none. */
export function readAuthorities(file: string): Buffer {
  const pem = readPem(file, 'authorities');
  parseCertificate(file, pem);
  return pem;
}

function readPem(file: string, what: string): Buffer {
  try {
    return readFileSync(file);
  } catch (cause) {
    throw new CertificateError(`cannot read the ${what} ${file}: ${(cause as Error).message}`, { cause });
  }
}

function parseCertificate(file: string, pem: Buffer): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch (cause) {
    throw new CertificateError(`${file} is not a certificate in PEM form`, { cause });
  }
}

function parseKey(file: string, pem: Buffer): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch (cause) {
    throw new CertificateError(`${file} is not a private key in PEM form without a passphrase`, { cause });
  }
}

function checkValidity(file: string, certificate: X509Certificate, now: Date): void {
  if (now < new Date(certificate.validFrom)) {
    throw new CertificateError(`the certificate ${file} is not valid before ${certificate.validFrom}`);
  }
  if (now > new Date(certificate.validTo)) {
    throw new CertificateError(`the certificate ${file} expired on ${certificate.validTo}; renew it`);
  }
}

/** OpenSSL judges what the steps before did not look at: the rest of the chain, key sizes. */
function secureContext(files: IdentityFiles, options: SecureContextOptions): SecureContext {
  try {
    return createSecureContext(options);
  } catch (cause) {
    throw new CertificateError(`OpenSSL does not accept ${files.cert} with ${files.key}`, { cause });
  }
}
