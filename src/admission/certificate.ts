import type { CertificateSubject } from '../config/certificate-subject.ts';
import type { AuthConfig } from '../config/schema.ts';
import { GatewayError } from '../errors.ts';
import { parseName } from '../http/distinguished-name.ts';
import type { ClientCertificate, GatewayRequest, TlsInfo } from '../http/request.ts';
import { type Check, endBy } from './grant.ts';

type CertificateConfig = NonNullable<AuthConfig['certificate']>;

/**
 * Requires a certificate of the peer that the listener believes, and that carries one of `subjects`, if there are any; notes
 * who it names as subject, its names as the claim `certificate`, and its end. Behind a proxy it is the proxy's: what that
 * says of its clients' certificates proves nothing. What `isExempt` names needs none. Throws CERTIFICATE_REFUSED.
 */
export function checkCertificate(
  { subjects }: CertificateConfig,
  isExempt: (request: GatewayRequest) => boolean = () => false,
): Check {
  const isWanted = subjects === undefined ? () => true : anyOf(subjects.map(matcher));
  // A connection keeps its certificate, and may bring many requests.
  const proofs = new WeakMap<ClientCertificate, Proof | 'unwanted'>();
  function proofOf(shown: ClientCertificate): Proof | 'unwanted' {
    const proof = proofs.get(shown) ?? (isWanted(shown) ? claimsOf(shown) : 'unwanted');
    proofs.set(shown, proof);
    return proof;
  }

  return function certificate(request, grant) {
    if (isExempt(request)) {
      grant.isUnproven = true;
      return;
    }
    const shown = request.tls?.certificate;
    if (shown === undefined) throw refused(whyMissing(request.tls));
    // Connections may outlive it.
    if (shown.expiresAt <= Date.now()) throw refused(`that of ${nameOf(shown)} has expired`);
    const proof = proofOf(shown);
    if (proof === 'unwanted')
      throw refused(`that of ${nameOf(shown)} is not among the subjects of this route`);
    grant.subject = nameOf(shown);
    grant.claims = { ...grant.claims, certificate: proof };
    endBy(grant, shown.expiresAt);
  };
}

function whyMissing(tls: TlsInfo | undefined): string {
  if (tls === undefined) return 'the connection is not over TLS';
  if (tls.certificateError === undefined) return 'none was shown';
  return `the one that was shown is not believed: ${tls.certificateError}`;
}

function refused(detail: string): GatewayError {
  return new GatewayError('CERTIFICATE_REFUSED', { detail });
}

/** What `forward` and `require` reach as /certificate/subject and the like. */
function claimsOf({ subject, commonName, names, serialNumber, fingerprint }: ClientCertificate): Proof {
  return { subject, commonName, ...names, serialNumber, fingerprint };
}

type Proof = Readonly<Record<string, unknown>>;

/** There may be no subject where there are other names (RFC 5280 §4.1.2.6). */
function nameOf({ commonName, subject, names }: ClientCertificate): string {
  return commonName ?? (subject || ([...names.uri, ...names.dns, ...names.email][0] ?? ''));
}

type Matcher = (certificate: ClientCertificate) => boolean;

function anyOf(matchers: readonly Matcher[]): Matcher {
  return (certificate) => matchers.some((matches) => matches(certificate));
}

function matcher({ by, name }: CertificateSubject): Matcher {
  switch (by) {
    case 'commonName':
      return ({ commonName }) => commonName === name;
    case 'subject':
      return subjectMatcher(name);
    case 'dns': {
      const fits = dnsPattern(name);
      return ({ names }) => names.dns.some(fits);
    }
    case 'email':
      return ({ names }) => names.email.some((email) => foldHost(email) === foldHost(name));
    case 'uri': {
      const fits = uriPattern(name);
      return ({ names }) => names.uri.some(fits);
    }
  }
}

/** However the one or the other is escaped. */
function subjectMatcher(name: string): Matcher {
  const canonical = JSON.stringify(parseName(name));
  return ({ subject }) => JSON.stringify(parseName(subject)) === canonical;
}

/** A wildcard stands for one label, and no wildcard of a certificate for any. */
function dnsPattern(name: string): (dns: string) => boolean {
  if (!name.startsWith('*.')) return (dns) => dns.toLowerCase() === name;
  const parent = name.slice(1);
  return (dns) => {
    const [label] = /^[a-z0-9_-]+/i.exec(dns) ?? [];
    return label !== undefined && dns.slice(label.length).toLowerCase() === parent;
  };
}

/** `.` or `..` between delimiters, escaped or not: whoever resolves it (RFC 3986 §5.2.4) ends up somewhere else. */
const DOT_SEGMENT = /(?:[/\\:]|%2f|%5c)(?:\.|%2e){1,2}(?:[/\\?#]|%2f|%5c|$)/i;

function uriPattern(name: string): (uri: string) => boolean {
  if (!name.endsWith('*')) return (uri) => uri === name;
  const start = name.slice(0, -1);
  return (uri) => uri.startsWith(start) && uri.length > start.length && !DOT_SEGMENT.test(uri);
}

/** Only the host of an address is the same in any case (RFC 5321 §2.4). */
function foldHost(email: string): string {
  const at = email.lastIndexOf('@');
  return email.slice(0, at) + email.slice(at).toLowerCase();
}
