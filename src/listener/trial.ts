import { once } from 'node:events';
import { duplexPair } from 'node:stream';
import { connect, type SecureContext, TLSSocket } from 'node:tls';
import { CertificateError, type Identity, reasonOf } from '../config/certificate.ts';

/** Far more than a handshake in memory takes on a busy machine. */
const TRIAL_MS = 5_000;

/**
 * Shakes hands in memory with a server that shows `identity` by `secureContext`, as every client will: what OpenSSL takes
 * may still not work. Rejects with CertificateError.
 */
export async function tryHandshake(
  secureContext: SecureContext,
  { files, certificate }: Identity,
): Promise<void> {
  const [inner, outer] = duplexPair();
  const server = new TLSSocket(inner, { isServer: true, secureContext });
  const client = connect({ socket: outer, rejectUnauthorized: false });
  // What goes wrong at the server's end the client is told by an alert, or by the end.
  const failure = once(server, 'error').then(([error]) => Promise.reject(error));
  // Whatever else goes wrong is of no more interest.
  for (const socket of [inner, outer, server, client]) socket.on('error', () => {});
  try {
    const signal = AbortSignal.timeout(TRIAL_MS);
    await Promise.race([once(client, 'secureConnect', { signal }), failure]);
    if (client.getPeerX509Certificate()?.fingerprint256 !== certificate.fingerprint256)
      throw new Error('another certificate was shown');
  } catch (cause) {
    throw new CertificateError(`a handshake with ${files.cert} fails: ${reasonOf(cause)}`, {
      cause,
    });
  } finally {
    failure.catch(() => {});
    client.destroy();
    server.destroy();
  }
}
