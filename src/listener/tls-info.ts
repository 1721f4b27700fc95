import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { TlsInfo } from '../http/request.ts';
import { readClientCertificate } from './client-certificate.ts';

const INFO = Symbol('what was agreed over TLS');

type Asked = TLSSocket & { [INFO]?: TlsInfo };

/** What was agreed with the peer of a socket, read once; undefined in plain text. A certificate is that of a peer whom the listener believes. */
export function tlsInfoOf(socket: Socket): TlsInfo | undefined {
  if (!('encrypted' in socket)) return undefined;
  const asked = socket as Asked;
  asked[INFO] ??= readInfo(asked);
  return asked[INFO];
}

function readInfo(socket: TLSSocket): TlsInfo {
  const version = socket.getProtocol() ?? '';
  // Of a socket that is closed nothing is known any more.
  const cipher = socket.getCipher()?.name ?? '';
  const shown = socket.getPeerX509Certificate();
  if (shown === undefined) return shared(version, cipher);
  if (!socket.authorized) return { version, cipher, certificateError: String(socket.authorizationError) };
  return { version, cipher, certificate: readClientCertificate(shown) };
}

/** Made once for all connections that agreed on the same: there may be very many. The set is as closed as OpenSSL's. */
const SHARED = new Map<string, TlsInfo>();

function shared(version: string, cipher: string): TlsInfo {
  const key = `${version} ${cipher}`;
  const info = SHARED.get(key) ?? { version, cipher };
  SHARED.set(key, info);
  return info;
}
