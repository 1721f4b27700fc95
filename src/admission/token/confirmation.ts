import type { ClientCertificate } from '../../http/request.ts';
import type { Claims } from '../claims.ts';
import { invalid } from './jwt.ts';

/**
 * Throws TOKEN_INVALID for a token that is bound to a key (`cnf`, RFC 7800 §3.1) of which its bearer has shown nothing: whoever
 * has stolen it has not got that key. Bound to a certificate (RFC 8705 §3.1), it is good with that on the same connection. No
 * other proof can be shown with a WebSocket handshake that a browser makes: DPoP's (RFC 9449) needs a field.
 */
export function checkConfirmation({ cnf }: Claims, certificate: ClientCertificate | undefined): void {
  if (cnf === undefined) return;
  const thumbprint = thumbprintIn(cnf);
  if (thumbprint === undefined) throw invalid('it is bound to a key (cnf), and nothing can prove that here');
  if (certificate === undefined) throw invalid('it is bound to a certificate (cnf), and none was shown');
  if (thumbprint !== Buffer.from(certificate.fingerprint, 'hex').toString('base64url'))
    throw invalid('it is bound to another certificate (cnf) than the one that was shown');
}

/** Of the one certificate that it names; undefined for everything else. */
function thumbprintIn(cnf: unknown): string | undefined {
  if (typeof cnf !== 'object' || cnf === null) return undefined;
  const { 'x5t#S256': thumbprint, ...others } = cnf as Record<string, unknown>;
  return typeof thumbprint === 'string' && Object.keys(others).length === 0 ? thumbprint : undefined;
}
