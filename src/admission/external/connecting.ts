import { buildConnector } from 'undici';
import { readUnix } from '../../config/unix.ts';
import { type TlsTrust, trustSource } from '../../tls-trust.ts';
import type { CertificateWatch } from '../../watched-certificates.ts';
import type { ExternalConfig } from './service.ts';

/** Where another service is, and how connections to it are opened. */
export interface Way {
  readonly origin: string;
  /** With its query. */
  readonly path: string;
  readonly connect: buildConnector.connector;
  /** Looks at no certificates any more. */
  close(): void;
}

/** Reads the way from the configuration; certificates that are renewed hold for new connections. Throws CertificateError. */
export function wayTo({ url, within, tls }: ExternalConfig, certificates: CertificateWatch): Way {
  const unix = readUnix(url);
  const { origin, pathname, search } = new URL(unix === undefined ? url : `http://localhost${unix.base}`);
  const timeout = { timeout: within, ...(unix && { socketPath: unix.socketPath }) };

  function connectorWith({ context, servername, isVerified }: TlsTrust): buildConnector.connector {
    const tls = { secureContext: context, rejectUnauthorized: isVerified };
    const connect = buildConnector({ ...timeout, ...tls });
    return (asked, callback) =>
      connect(servername === undefined ? asked : { ...asked, servername }, callback);
  }

  const source = trustSource(tls, ({ trust }) => {
    connector = connectorWith(trust);
  });
  const { value, close } = certificates.watch(source);
  let connector = connectorWith(value.trust);
  return {
    origin,
    path: pathname + search,
    connect: (asked, callback) => connector(asked, callback),
    close,
  };
}
