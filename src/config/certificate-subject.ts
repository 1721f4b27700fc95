import { parseName } from '../http/distinguished-name.ts';
import { word } from './fields.ts';

/** Whose client certificate is accepted: by one of the names in it. */
export interface CertificateSubject {
  readonly by: 'commonName' | 'subject' | 'dns' | 'email' | 'uri';
  /** dns: in lower case, maybe with `*` for its first label; uri: maybe with a `*` at its end; subject: as RFC 4514 has it. */
  readonly name: string;
}

const FORMS =
  'a certificate name like device-7, CN=device-7,O=Acme, dns:*.example.com, email:ann@example.com or uri:spiffe://example.com/ns/*';

/** One of `subjects`. */
export const certificateSubject = word(FORMS, readSubject);

function readSubject(text: string): CertificateSubject | undefined {
  const [, kind, name = ''] = /^(dns|email|uri):(.*)$/s.exec(text) ?? [];
  if (kind === 'dns') return DNS.test(name) ? { by: 'dns', name: name.toLowerCase() } : undefined;
  if (kind === 'email') return EMAIL.test(name) ? { by: 'email', name } : undefined;
  if (kind === 'uri') return URI.test(name) ? { by: 'uri', name } : undefined;
  if (WHOLE.test(text)) return parseName(text) === undefined ? undefined : { by: 'subject', name: text };
  return text.includes('*') || text.trim() !== text || text === ''
    ? undefined
    : { by: 'commonName', name: text };
}

const DNS = /^(\*\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)*$/i;
const EMAIL = /^[^\s@*]+@[^\s@*]+$/;
// Without a delimiter before it, `spiffe://acme*` would be acme.evil.example as well.
const URI = /^[a-z][a-z0-9+.-]*:[^\s*]*([/:]\*|[^\s*])$/i;
const WHOLE = /^\s*([a-z][a-z0-9-]*|\d+(\.\d+)+)\s*=/i;
