import type { IncomingHttpHeaders } from 'node:http';
import { type Dispatcher, Pool } from 'undici';
import type { Connector, EndpointClient } from './http-pool.ts';
import type { Target } from './target.ts';

/** One request of a bridge to its HTTP service. `path` includes the query and comes after the target's own path. */
export interface HttpRequest {
  readonly method: string;
  readonly path: string;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
}

/** A complete answer; header names in lower case. */
export interface HttpAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

export interface ExchangeLimits {
  readonly signal: AbortSignal;
  /** Milliseconds from the call to the last byte of the answer. */
  readonly timeoutMs: number;
  /** Largest answer in bytes; `'ignored'` keeps nothing of the body, and reads no more of it than its connection is worth. */
  readonly bodySize: number | 'ignored';
}

/** One base URL at one address, with its connections. */
export interface HttpTarget extends EndpointClient {
  /** Sends the request once, never again by itself. Rejects with ExchangeFailed. */
  exchange(request: HttpRequest, limits: ExchangeLimits): Promise<HttpAnswer>;
}

export type FailureKind = 'unreachable' | 'timeout' | 'broken' | 'too big' | 'aborted';

/** An exchange that brought no complete answer. */
export class ExchangeFailed extends Error {
  readonly kind: FailureKind;
  /** Not a byte of the request has left: sending it again cannot double it. */
  readonly unsent: boolean;

  constructor(kind: FailureKind, unsent: boolean, cause?: unknown) {
    super(`the exchange failed: ${kind}`, { cause });
    this.name = 'ExchangeFailed';
    this.kind = kind;
    this.unsent = unsent;
  }
}

/** Read of a body that nobody wants, so that its connection can be used again; beyond it that is given up. */
const IGNORED_BYTES = 256 * 1024;

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
  return {
    isIdle: () => pool.stats.free > 0,
    close: () => pool.destroy(),
    exchange(request, limits) {
      return new Promise((resolve, reject) => {
        const options = { ...request, path: prefix + request.path || '/' } as Dispatcher.DispatchOptions;
        pool.dispatch(options, new Exchange(limits, resolve, reject));
      });
    },
  };
}

/** Follows one request through undici; settles its promise once. */
class Exchange implements Dispatcher.DispatchHandler {
  readonly #limits: ExchangeLimits;
  readonly #resolve: (answer: HttpAnswer) => void;
  readonly #reject: (failure: ExchangeFailed) => void;
  readonly #timer: NodeJS.Timeout;
  readonly #chunks: Buffer[] = [];
  #controller: Dispatcher.DispatchController | undefined;
  #isSettled = false;
  #failure: ExchangeFailed | undefined;
  #status = 0;
  #headers: IncomingHttpHeaders = {};
  #size = 0;

  constructor(
    limits: ExchangeLimits,
    resolve: (answer: HttpAnswer) => void,
    reject: (failure: ExchangeFailed) => void,
  ) {
    this.#limits = limits;
    this.#resolve = resolve;
    this.#reject = reject;
    this.#timer = setTimeout(this.#onTimeout, limits.timeoutMs);
    limits.signal.addEventListener('abort', this.#onAbort);
    if (limits.signal.aborted) this.#onAbort();
  }

  /** undici calls this in the same breath as it writes the request. */
  onRequestStart(controller: Dispatcher.DispatchController): void {
    if (this.#failure) {
      controller.abort(this.#failure);
      return;
    }
    this.#controller = controller;
  }

  onResponseStart(_: Dispatcher.DispatchController, status: number, headers: IncomingHttpHeaders): void {
    // 1xx answers come before the one that counts (RFC 9110 §15.2): the last one stays.
    this.#status = status;
    this.#headers = joinedFields(headers);
  }

  onResponseData(_: Dispatcher.DispatchController, chunk: Buffer): void {
    const { bodySize } = this.#limits;
    this.#size += chunk.length;
    if (bodySize === 'ignored') {
      if (this.#size > IGNORED_BYTES) this.#succeedAtOnce();
      return;
    }
    if (this.#size > bodySize) {
      this.#fail('too big');
      return;
    }
    this.#chunks.push(chunk);
  }

  onResponseEnd(): void {
    if (this.#isSettled) return;
    this.#settle();
    const answer = { status: this.#status, headers: this.#headers, body: Buffer.concat(this.#chunks) };
    // A request that follows at once would open another connection: undici lends this one again in the next turn.
    queueMicrotask(() => setImmediate(this.#resolve, answer));
  }

  onResponseError(_: Dispatcher.DispatchController, error: Error & { code?: string }): void {
    if (this.#controller) this.#fail('broken', error);
    else this.#fail(error.code === 'UPSTREAM_TIMEOUT' ? 'timeout' : 'unreachable', error);
  }

  readonly #onTimeout = (): void => this.#fail('timeout');
  readonly #onAbort = (): void => this.#fail('aborted', this.#limits.signal.reason);

  /** What counts of the answer is there: the rest is not read. */
  #succeedAtOnce(): void {
    this.onResponseEnd();
    this.#controller?.abort(new Error('the body of the answer is not wanted'));
  }

  #fail(kind: FailureKind, cause?: unknown): void {
    if (this.#isSettled) return;
    this.#settle();
    this.#failure = new ExchangeFailed(kind, this.#controller === undefined, cause);
    this.#reject(this.#failure);
    this.#controller?.abort(this.#failure);
  }

  #settle(): void {
    this.#isSettled = true;
    clearTimeout(this.#timer);
    this.#limits.signal.removeEventListener('abort', this.#onAbort);
  }
}

/** undici gives a list for any field that came more than once, and none for a lone Set-Cookie. */
function joinedFields(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  const fields = Object.entries(headers).map(([name, value]) => {
    if (name === 'set-cookie') return [name, [value].flat()];
    return [name, Array.isArray(value) ? value.join(', ') : value];
  });
  return Object.fromEntries(fields);
}
