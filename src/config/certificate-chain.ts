import { X509Certificate } from 'node:crypto';
import { CertificateError } from './certificate-error.ts';

/** The certificates of one PEM file, and whether they belong together. */

export type Chain = readonly [X509Certificate, ...X509Certificate[]];

const BEGIN = /-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----/g;
const WHOLE = /-----BEGIN ((?:X509 |TRUSTED )?CERTIFICATE)-----[^-]+-----END \1-----/g;

/** All certificates in a file, in their order. Throws CertificateError if there are none, or one is malformed or cut off. */
export function splitChain(file: string, pem: Buffer): Chain {
  const text = pem.toString('latin1');
  const begun = text.match(BEGIN)?.length ?? 0;
  const [first, ...others] = text.match(WHOLE) ?? [];
  if (first === undefined) throw new CertificateError(`${file} is not a certificate in PEM form`);
  if (begun !== others.length + 1)
    throw new CertificateError(
      `${file} is cut off or damaged: not every certificate in it has an end; write it anew`,
    );
  return [parse(file, first), ...others.map((one) => parse(file, one))];
}

function parse(file: string, pem: string): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch (cause) {
    throw new CertificateError(`${file} is not a certificate in PEM form`, { cause });
  }
}

/** In PEM, each on lines of its own, whatever stood around them: OpenSSL gets what was judged, and nothing else. */
export function joinChain(chain: Chain): string {
  return chain.map(String).join('');
}

/** Milliseconds since the epoch. */
export function endOf({ validTo }: X509Certificate): number {
  return Date.parse(validTo);
}

/** Each certificate has been issued by the next one (RFC 5246 §7.4.2): many clients look for issuers nowhere else. */
export function checkChain(file: string, chain: Chain): void {
  chain.slice(1).forEach((issuer, index) => {
    const issued = chain[index] as X509Certificate;
    const [what, wanted] = [nameOf(issuer.subject), nameOf(issued.issuer)];
    if (issued.checkIssued(issuer) && issued.verify(issuer.publicKey)) return;
    if (what === wanted)
      throw new CertificateError(
        `${file}: certificate ${index + 2}, of ${what}, has not signed the one before it; put the one of that name in its place that has`,
      );
    const isReversed = issuer.checkIssued(issued);
    const remedy = isReversed
      ? 'turn their order round: the server’s own first, behind it its issuer, and so on'
      : 'put the issuer of each behind it, and take out what does not belong';
    throw new CertificateError(
      `${file} is not in order: certificate ${index + 2} is that of ${what}, but the one before it was issued by ${wanted}; ${remedy}`,
    );
  });
}

/** Throws CertificateError for the first one that is not valid at `now`. */
export function checkDates(file: string, chain: Chain, now: Date): void {
  chain.forEach((certificate, index) => {
    const what = index === 0 ? `the certificate ${file}` : `certificate ${index + 1} in ${file}`;
    if (now < new Date(certificate.validFrom))
      throw new CertificateError(`${what} is not valid before ${certificate.validFrom}`);
    if (now > new Date(certificate.validTo))
      throw new CertificateError(`${what} expired on ${certificate.validTo}; renew it`);
  });
}

/** A whole name on one line, as short as a message needs it. */
function nameOf(subject: string): string {
  return subject.replaceAll('\n', ', ').slice(0, 200) || 'nobody';
}
