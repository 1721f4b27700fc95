import { readAuthorities, readIdentity } from '../../config/certificate.ts';
import { CommandError, EXIT } from '../context.ts';

/** What of TLS with the gateway a command is told. */
export interface TlsOptions {
  /** A file with the authorities that may have signed the gateway's certificate, in place of the system's. */
  readonly ca?: string;
  /** Files of the certificate that the gateway is shown, and of its key. */
  readonly cert?: string;
  readonly key?: string;
}

/** As Node's TLS takes it, in PEM. */
export interface TlsMaterial {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: Buffer;
}

/**
 * Gives what the files hold at each call: they are renewed while a command runs. What cannot be used later on leaves what was.
 * Throws CommandError and CertificateError for what cannot be used now.
 */
export function tlsSource(options: TlsOptions): () => TlsMaterial {
  let last = read(options);
  return function current() {
    try {
      last = read(options);
    } catch {
      // Half of a renewal is written: the other half comes.
    }
    return last;
  };
}

function read({ ca, cert, key }: TlsOptions): TlsMaterial {
  if ((cert === undefined) !== (key === undefined))
    throw new CommandError('--cert and --key belong together: give both files', EXIT.usage);
  const identity = cert !== undefined && key !== undefined ? readIdentity({ cert, key }) : undefined;
  return {
    ...(ca !== undefined && { ca: readAuthorities(ca).pem }),
    ...(identity && { cert: identity.cert, key: identity.key }),
  };
}
