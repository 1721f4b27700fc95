import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createSecureContext, type SecureContext, type TlsOptions } from 'node:tls';
import type { ListenerConfig } from '../config/schema.ts';
import { ListenerError } from './error.ts';

type TlsConfig = NonNullable<ListenerConfig['tls']>;
type CertificateFiles = TlsConfig['certificates'][number];

interface Identity {
  readonly certificate: X509Certificate;
  readonly context: SecureContext;
  readonly cert: Buffer;
  readonly key: Buffer;
}

/**
 * Reads the certificates of a listener and makes the TLS options of its server: ALPN `http/1.1` only, the
 * certificate chosen by server name, the first one for names none of them covers.
 * Throws ListenerError naming the file that is unreadable, malformed, not valid at `now`, or no match for its key.
 */
export async function tlsOptions(config: TlsConfig, now: Date = new Date()): Promise<TlsOptions> {
  const identities = await Promise.all(config.certificates.map((files) => readIdentity(files, now)));
  const [first] = identities as [Identity, ...Identity[]];
  return {
    cert: first.cert,
    key: first.key,
    minVersion: config.minVersion,
    ALPNProtocols: ['http/1.1'],
    SNICallback(servername, answer) {
      answer(null, (identityFor(servername, identities) ?? first).context);
    },
  };
}

/** An exact name wins over a wildcard, whatever their order. */
function identityFor(servername: string, identities: readonly Identity[]): Identity | undefined {
  return (
    identities.find(({ certificate }) => certificate.checkHost(servername, { wildcards: false })) ??
    identities.find(({ certificate }) => certificate.checkHost(servername))
  );
}

async function readIdentity(files: CertificateFiles, now: Date): Promise<Identity> {
  const [cert, key] = await Promise.all([
    readPem(files.cert, 'certificate'),
    readPem(files.key, 'private key'),
  ]);
  const certificate = parseCertificate(files.cert, cert);
  checkValidity(files.cert, certificate, now);
  if (!certificate.checkPrivateKey(parseKey(files.key, key))) {
    throw new ListenerError(`the private key ${files.key} does not belong to the certificate ${files.cert}`);
  }
  return { certificate, context: secureContext(files, { cert, key }), cert, key };
}

async function readPem(file: string, what: string): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch (cause) {
    throw new ListenerError(`cannot read the ${what} ${file}: ${(cause as Error).message}`, { cause });
  }
}

function parseCertificate(file: string, pem: Buffer): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch (cause) {
    throw new ListenerError(`${file} is not a certificate in PEM form`, { cause });
  }
}

function parseKey(file: string, pem: Buffer): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch (cause) {
    throw new ListenerError(`${file} is not a private key in PEM form without a passphrase`, { cause });
  }
}

function checkValidity(file: string, certificate: X509Certificate, now: Date): void {
  if (now < new Date(certificate.validFrom)) {
    throw new ListenerError(`the certificate ${file} is not valid before ${certificate.validFrom}`);
  }
  if (now > new Date(certificate.validTo)) {
    throw new ListenerError(`the certificate ${file} expired on ${certificate.validTo}; renew it`);
  }
}

/** OpenSSL judges what the steps before did not look at: the rest of the chain, key sizes. */
function secureContext(files: CertificateFiles, options: TlsOptions): SecureContext {
  try {
    return createSecureContext(options);
  } catch (cause) {
    throw new ListenerError(`OpenSSL does not accept ${files.cert} with ${files.key}`, { cause });
  }
}
