import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { GatewayError } from '../errors.ts';
import { type Connections, withSocket } from './connections.ts';
import type { ConnectionObserver, TlsFailure } from './observer.ts';
import { passProxyHeader } from './proxied.ts';
import { refusalBytes } from './refusal.ts';

/**
 * The connections of one TLS listener whose handshake is under way. Node tells what becomes of a handshake with another
 * socket than the one it accepted; what both have in common is where they lead from and to.
 */
export class TlsHandshakes {
  readonly #connections: Connections;
  readonly #observer: ConnectionObserver;
  readonly #byEnds = new Map<string, Socket>();
  /** A closed socket cannot be asked any more. */
  readonly #ends = new Map<Socket, string>();
  /** One that was closed just now: as a rule what became of its handshake is told right behind, with a socket that cannot be asked. */
  #closed: Socket | undefined;

  constructor(connections: Connections, observer: ConnectionObserver) {
    this.#connections = connections;
    this.#observer = observer;
  }

  /** Hears how the handshakes on `server` come out. */
  watch(server: Server): void {
    server.on('secureConnection', (socket: TLSSocket) => {
      const raw = this.#finish(endsOf(socket));
      if (raw !== undefined) passProxyHeader(raw, socket);
      this.#connections.secured(raw, socket);
    });
    server.on('tlsClientError', (error: NodeJS.ErrnoException, socket: TLSSocket) => {
      this.#onError(error, socket, this.#finish(endsOf(socket)) ?? this.#closed);
    });
  }

  /** A connection has been accepted and taken in. */
  begin(raw: Socket): void {
    const ends = endsOf(raw);
    this.#byEnds.set(ends, raw);
    this.#ends.set(raw, ends);
    raw.on('close', this.#onClose);
  }

  #finish(ends: string): Socket | undefined {
    const raw = this.#byEnds.get(ends);
    if (raw === undefined) return undefined;
    this.#byEnds.delete(ends);
    this.#ends.delete(raw);
    raw.off('close', this.#onClose);
    return raw;
  }

  #onError({ code = '' }: NodeJS.ErrnoException, socket: TLSSocket, raw: Socket | undefined): void {
    // Node lets a handshake with a bad certificate come to its end, and cuts it off then without a word.
    const fault = (socket.authorizationError as unknown as string | null) ?? undefined;
    const reason = fault === undefined ? tlsFailureOf(code) : 'client_certificate';
    this.#observer.tlsFailed(
      reason,
      raw?.remoteAddress,
      fault ?? (reason === 'not_tls' ? NOT_TLS : undefined),
    );
    // Node closes the socket as soon as everybody has heard of the error: what is written now goes out, and no more.
    if (reason === 'plain_http') raw?.write(refusalBytes(new GatewayError('TLS_REQUIRED')));
  }

  readonly #onClose = withSocket((raw) => {
    this.#closed = this.#finish(this.#ends.get(raw) ?? '');
    setImmediate(() => {
      this.#closed = undefined;
    });
  });
}

function endsOf({ localAddress, remoteAddress, remotePort }: Socket): string {
  return `${localAddress} ${remoteAddress} ${remotePort}`;
}

const NOT_TLS = 'what came is no TLS; a balancer that sends a PROXY header wants `proxyProtocol: true`';

const FAILURES: Readonly<Record<string, TlsFailure>> = {
  ERR_SSL_HTTP_REQUEST: 'plain_http',
  ERR_SSL_HTTPS_PROXY_REQUEST: 'plain_http',
  ERR_SSL_WRONG_VERSION_NUMBER: 'not_tls',
  ERR_TLS_HANDSHAKE_TIMEOUT: 'timeout',
  ECONNRESET: 'ended',
  ERR_SSL_UNSUPPORTED_PROTOCOL: 'version',
  ERR_SSL_VERSION_TOO_LOW: 'version',
  ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION: 'version',
  ERR_SSL_NO_SHARED_CIPHER: 'cipher',
  ERR_SSL_NO_SUITABLE_SIGNATURE_ALGORITHM: 'cipher',
  ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE: 'cipher',
  ERR_SSL_NO_APPLICATION_PROTOCOL: 'alpn',
  ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE: 'client_certificate',
};

/** OpenSSL's and Node's error code as one of a few reasons. */
export function tlsFailureOf(code: string): TlsFailure {
  if (/_ALERT_(UNKNOWN_CA|.*CERTIFICATE)/.test(code)) return 'certificate';
  return FAILURES[code] ?? 'other';
}
