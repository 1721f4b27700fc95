import { type Remedies, tlsFault } from '../../tls-fault.ts';
import { ProxyError } from './connect-through.ts';

/** How each sentence begins about a gateway that was not reached at all. */
export const UNREACHED = 'no connection to ';

const REMEDIES: Remedies = {
  plain: 'ws://',
  authority: 'name a file with the one that has by --ca',
  name: 'write a name that it has in the URL',
};

/** What a gateway says of certificates of clients, by its TLS. */
const UNCERTIFIED = /ALERT_CERTIFICATE_REQUIRED|ALERT_HANDSHAKE_FAILURE/;
const MISCERTIFIED = /ALERT_(UNKNOWN_CA|BAD_CERTIFICATE|CERTIFICATE_(EXPIRED|REVOKED|UNKNOWN)|ACCESS_DENIED)/;

/** Why the gateway was not reached at all; `isCertified`: it was shown a certificate. */
export function unreached(thrown: Error, host: string, isCertified = false): string {
  const { code, message } = tlsFault(thrown, REMEDIES) as NodeJS.ErrnoException;
  const what = UNREACHED + host;
  if (thrown instanceof ProxyError) return `${what}: ${message}`;
  if (code === 'ECONNREFUSED') return `${what}: nothing listens there; see whether the gateway runs`;
  if (code === 'ENOTFOUND') return `${what}: there is no such name; check the URL`;
  if (UNCERTIFIED.test(`${code}`) && !isCertified)
    return `${what}: it asks for a certificate: name yours by --cert and --key`;
  if (MISCERTIFIED.test(`${code}`)) return `${what}: it does not accept the certificate of --cert`;
  if (code?.startsWith('HPE_')) return `${what}: it speaks no HTTP: check the host and the port`;
  if (message === 'Opening handshake has timed out')
    return `${what}: it does not answer; see whether it runs`;
  if (code === 'ECONNRESET')
    return `${what}: it has hung up; ${isCertified ? 'it may not accept the certificate of --cert' : 'see whether a gateway answers there'}`;
  return `${what}: ${message || code}`;
}
