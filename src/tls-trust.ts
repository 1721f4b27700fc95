import type { SecureContext } from 'node:tls';
import { readAuthorities, readIdentity, secureContext } from './config/certificate.ts';
import type { UpstreamTls } from './config/upstream-tls.ts';
import type { CertificateRecord, CertificateSource } from './watched-certificates.ts';

/** TLS that the gateway begins: whom it believes, and what it shows of itself. */

/** Which services are believed, and who they learn that we are. */
export interface TlsTrust {
  /** The authorities that may have signed an upstream's certificate, and our own one for those that ask for it. */
  readonly context: SecureContext;
  /** The name that an upstream's certificate must carry; without one it must carry the address. */
  readonly servername: string | undefined;
  /** Otherwise any certificate will do. */
  readonly isVerified: boolean;
}

/** A trust, and the files in it that end. */
interface ReadTrust {
  readonly trust: TlsTrust;
  readonly expiries: readonly Omit<CertificateRecord, 'listener'>[];
}

/** The files of a `tls`; `renew` is given what is made of them when they have changed, for new connections. */
export function trustSource(
  tls: UpstreamTls = {},
  renew: (read: ReadTrust) => void = () => {},
): CertificateSource<ReadTrust> {
  return {
    listener: '',
    paths: [tls.ca, tls.cert, tls.key].filter((path) => path !== undefined),
    read: () => readTrust(tls),
    expiries: ({ expiries }) => expiries,
    renew,
  };
}

function readTrust({ ca, cert, key, servername, verify }: UpstreamTls): ReadTrust {
  const identity = cert !== undefined && key !== undefined ? readIdentity({ cert, key }) : undefined;
  const authorities = ca === undefined ? undefined : readAuthorities(ca);
  const context = secureContext(cert ?? ca ?? 'tls', {
    ca: authorities?.pem,
    cert: identity?.cert,
    key: identity?.key,
  });
  const expiries =
    identity === undefined ? [] : [{ name: identity.files.cert, expiresAt: identity.expiresAt }];
  return { trust: { context, servername, isVerified: verify !== 'off' }, expiries };
}
