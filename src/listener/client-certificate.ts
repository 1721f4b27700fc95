import type { X509Certificate } from 'node:crypto';
import { parseName } from '../http/distinguished-name.ts';
import type { ClientCertificate } from '../http/request.ts';

/**
 * The names in a certificate, as its issuer wrote them. Node gives them as text in which a value can look like more names,
 * were it not for what it escapes (CVE-2021-44532, -44533): nothing is cut at a comma or a line end that is part of a value.
 */

/** Reads a certificate that has been verified. */
export function readClientCertificate(certificate: X509Certificate): ClientCertificate {
  const subject = subjectOf(certificate);
  const names = parseAltNames(certificate.subjectAltName ?? '');
  return {
    subject,
    commonName: commonNameOf(subject),
    names: { dns: valuesOf(names, 'DNS'), email: valuesOf(names, 'email'), uri: valuesOf(names, 'URI') },
    serialNumber: certificate.serialNumber,
    fingerprint: certificate.fingerprint256.replaceAll(':', '').toLowerCase(),
    expiresAt: Date.parse(certificate.validTo),
  };
}

/** Node has a line for each level, the innermost first, and ` + ` between names on one level; both are escaped in values. */
function subjectOf({ subject }: X509Certificate): string {
  const levels = (subject ?? '').split('\n').map((level) => level.split(' + ').join('+'));
  return levels.reverse().join(',');
}

/** Where there are two, nobody could say which one another program would take. */
function commonNameOf(subject: string): string | undefined {
  const names = (parseName(subject) ?? []).flat().filter((name) => name.startsWith('CN='));
  return names.length === 1 ? names[0]?.slice('CN='.length) : undefined;
}

interface AltName {
  readonly kind: string;
  readonly value: string;
}

/** `DNS:a, URI:"b\u002cc"`: a value with anything in it that could mislead stands in quotes, as JSON writes them. */
const ALT_NAME = /([A-Za-z ]+):((?:[^",]|"(?:[^"\\]|\\.)*")*)(?:, |$)/y;

/** Undefined kinds are left out by whoever asks for others; of a text that is not as expected nothing is believed. */
export function parseAltNames(text: string): readonly AltName[] {
  const names: AltName[] = [];
  ALT_NAME.lastIndex = 0;
  while (ALT_NAME.lastIndex < text.length) {
    const [, kind = '', written = ''] = ALT_NAME.exec(text) ?? [];
    const value = unquoted(written);
    if (kind === '' || value === undefined) return [];
    names.push({ kind, value });
  }
  return names;
}

function unquoted(written: string): string | undefined {
  if (!written.startsWith('"')) return written;
  try {
    return JSON.parse(written) as string;
  } catch {
    return undefined;
  }
}

function valuesOf(names: readonly AltName[], wanted: string): readonly string[] {
  return names.filter(({ kind }) => kind === wanted).map(({ value }) => value);
}
