import type { IncomingHttpHeaders } from 'node:http';
import { Exchange } from './exchange.ts';
import type { Connector, EndpointClient } from './http-pool.ts';
import { openHttp1 } from './http1-wire.ts';
import type { Http2Mode } from './http2-connection.ts';
import { Http2Wire } from './http2-wire.ts';
import type { StreamedAnswer, StreamLimits } from './streamed-answer.ts';
import { Streaming } from './streaming.ts';
import type { Target } from './target.ts';
import type { Wire } from './wire.ts';

export { ExchangeFailed, type FailureKind } from './exchange-failed.ts';

/** One request of a bridge to its HTTP service. `path` includes the query and comes after the target's own path. */
export interface HttpRequest {
  readonly method: string;
  readonly path: string;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
}

/** A complete answer, decoded; header names in lower case. */
export interface HttpAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

export interface ExchangeLimits {
  readonly signal: AbortSignal;
  /** Milliseconds from the call to the last byte of the answer. */
  readonly timeoutMs: number;
  /** Largest answer in bytes, decoded; `'ignored'` keeps nothing of the body, and reads no more of it than its connection is worth. */
  readonly bodySize: number | 'ignored';
}

/** One base URL at one address, with its connections. */
export interface HttpTarget extends EndpointClient {
  /** Sends the request once, never again by itself. Rejects with ExchangeFailed. */
  exchange(request: HttpRequest, limits: ExchangeLimits): Promise<HttpAnswer>;
  /**
   * Sends the request once and resolves with the head of its answer; the body comes while it is read. Rejects with
   * ExchangeFailed.
   */
  stream(request: HttpRequest, limits: StreamLimits): Promise<StreamedAnswer>;
}

/**
 * Opens the client of one endpoint; a path of its target is put before every request's path. Connections are made
 * when they are needed; for HTTP/2, `connect` has offered it to a service that speaks TLS.
 */
export function openHttpTarget(target: Target, connect: Connector, http2: Http2Mode = 'off'): HttpTarget {
  const wire = openWire(target, connect, http2);
  const prefix = target.base?.pathname.replace(/\/$/, '') ?? '';
  const placed = (request: HttpRequest) => ({ ...request, path: prefix + request.path || '/' });
  return {
    isIdle: () => wire.isIdle(),
    ...(wire.adopt && { adopt: wire.adopt.bind(wire) }),
    close: () => wire.close(),
    exchange: (request, limits) =>
      new Promise((resolve, reject) => wire.dispatch(placed(request), new Exchange(limits, resolve, reject))),
    stream: (request, limits) =>
      new Promise((resolve, reject) =>
        wire.dispatch(placed(request), new Streaming(limits, resolve, reject)),
      ),
  };
}

/** ALPN, by which a service chooses HTTP/2, is a part of TLS. */
function openWire({ authority, secure }: Target, connect: Connector, http2: Http2Mode): Wire {
  const origin = `${secure ? 'https' : 'http'}://${authority}`;
  if (http2 === 'off' || (http2 === 'auto' && !secure)) return openHttp1(origin, connect);
  return new Http2Wire(connect, { origin, mode: http2 });
}
