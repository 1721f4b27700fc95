import type { Socket } from 'node:net';
import type { RouteConfig } from '../config/schema.ts';
import type { UpstreamKind } from '../config/upstream-kinds.ts';
import { type TlsTrust, trustSource } from '../tls-trust.ts';
import type { UpstreamContext } from './context.ts';
import { ALPN, type Http2Mode } from './http2-connection.ts';
import { type Introduction, type PreambleParts, preambleOf } from './preamble.ts';
import type { Target } from './target.ts';

/** How one connection is opened. */
export interface Opening {
  /** As in Destination. */
  readonly autoEnd?: boolean;
  /** Whom it is for, for services that are told; absent: for the gateway itself. */
  readonly client?: (() => Introduction) | undefined;
}

/** A target at one of its addresses. */
export interface Spot {
  readonly target: Target;
  /** An IP address, or the path of a unix socket. */
  readonly address: string;
}

/** What is to be written for a service that speaks no TLS. */
const PLAIN: Readonly<Record<UpstreamKind, string>> = {
  websocket: 'ws://',
  tcp: 'upstream without tls, or with the protocol in which it is asked for, such as tls: postgres',
  poll: 'http://',
  post: 'http://',
  http: 'http://',
};

export interface ConnectorOptions {
  readonly context: UpstreamContext;
  /** What its targets are. */
  readonly kind: UpstreamKind;
  /** Some of the targets speak TLS: the route's files for it are read, and read again when they change. */
  readonly isSecure: boolean;
  /** Which version of HTTP the connections are dialled for. */
  readonly http2: Http2Mode;
}

/** Opens the connections of one upstream: what is the same for all of its targets, TLS above all. */
export class Connector {
  readonly #options: ConnectorOptions;
  readonly #first: PreambleParts;
  readonly #keepaliveMs: number | undefined;
  /** Undefined where no target speaks TLS. Connections that are open keep the one they were made with. */
  #trust: TlsTrust | undefined;
  readonly #unwatch: (() => void) | undefined;

  /** Throws CertificateError if a file of the route's `tls` does not serve. */
  constructor(upstream: RouteConfig['upstream'], options: ConnectorOptions) {
    this.#options = options;
    this.#first = { proxyProtocol: upstream.proxyProtocol, starttls: upstream.tls?.starttls };
    this.#keepaliveMs = upstream.keepalive;
    this.#unwatch = options.isSecure ? this.#watchTrust(upstream) : undefined;
  }

  /** Opens a socket: TLS and all, but nothing said yet. Rejects with a GatewayError. */
  connect(
    { target, address }: Spot,
    signal: AbortSignal,
    { autoEnd = false, client }: Opening = {},
  ): Promise<Socket> {
    const { context, http2, kind } = this.#options;
    const preamble = preambleOf(this.#first, client);
    const { port, socketPath } = target;
    const how = { autoEnd, preamble, keepaliveMs: this.#keepaliveMs };
    const where = { host: address, port, socketPath, ...how };
    const trust = this.#trust;
    if (trust === undefined || !target.secure) return context.connect(where, signal);
    // The certificate names the host that the configuration does, whatever its address.
    const servername = trust.servername ?? (target.host === address ? '' : target.host);
    const tls = { ...trust, servername };
    return context.connect({ ...where, tls, alpn: ALPN[http2], plain: PLAIN[kind] }, signal);
  }

  /** Its files are watched no more. Again is a no-op. */
  close(): void {
    this.#unwatch?.();
  }

  #watchTrust({ tls }: RouteConfig['upstream']): () => void {
    const source = trustSource(tls, ({ trust }) => {
      this.#trust = trust;
    });
    const { value, close } = this.#options.context.certificates.watch(source);
    this.#trust = value.trust;
    return close;
  }
}
