import type { TlsOptions } from 'node:tls';
import { type Identity, readIdentity } from '../config/certificate.ts';
import type { ListenerConfig } from '../config/schema.ts';

type TlsConfig = NonNullable<ListenerConfig['tls']>;

/**
 * Reads the certificates of a listener and makes the TLS options of its server: ALPN `http/1.1` only, the
 * certificate chosen by server name, the first one for names none of them covers.
 * Throws CertificateError naming the file that is unreadable, malformed, not valid at `now`, or no match for its key.
 */
export function tlsOptions(config: TlsConfig, now: Date = new Date()): TlsOptions {
  const identities = config.certificates.map((files) => readIdentity(files, now));
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
