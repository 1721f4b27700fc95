import type { IncomingHttpHeaders } from 'node:http';
import { type Dispatcher, Pool } from 'undici';
import { Exchange } from './exchange.ts';
import type { Connector, EndpointClient } from './http-pool.ts';
import type { StreamedAnswer, StreamLimits } from './streamed-answer.ts';
import { Streaming } from './streaming.ts';
import type { Target } from './target.ts';

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
 * when they are needed.
 */
export function openHttpTarget({ authority, secure, base }: Target, connect: Connector): HttpTarget {
  const origin = `${secure ? 'https' : 'http'}://${authority}`;
  // Polls hang for as long as the service likes, before and amid the answer: only our own timer may cut them.
  // One request a connection at a time, so that no answer waits behind a hanging one.
  const pool = new Pool(origin, {
    pipelining: 1,
    headersTimeout: 0,
    bodyTimeout: 0,
    connect(_options, callback) {
      connect().then(
        (socket) => callback(null, socket),
        (error) => callback(error, null),
      );
    },
  });
  const prefix = base?.pathname.replace(/\/$/, '') ?? '';

  function dispatch(request: HttpRequest, handler: Dispatcher.DispatchHandler): void {
    pool.dispatch({ ...request, path: prefix + request.path || '/' } as Dispatcher.DispatchOptions, handler);
  }

  return {
    isIdle: () => pool.stats.free > 0,
    close: () => pool.destroy(),
    exchange: (request, limits) =>
      new Promise((resolve, reject) => dispatch(request, new Exchange(limits, resolve, reject))),
    stream: (request, limits) =>
      new Promise((resolve, reject) => dispatch(request, new Streaming(limits, resolve, reject))),
  };
}
