import type { SessionClient } from '../../src/bridge/poll/session-client.ts';
import { ExchangeFailed, type HttpAnswer, type HttpRequest } from '../../src/upstream/client.ts';
import type { StreamedAnswer } from '../../src/upstream/streamed-answer.ts';

/** A service in a test's hands, without a socket: its requests wait for their answers. */

/** A request that has been sent. */
export interface Exchange {
  readonly request: HttpRequest;
  answer(status: number, body?: string, headers?: Record<string, string>): void;
  /** Answers with a body that comes piece by piece. */
  stream(pieces: AsyncIterable<Buffer>, status?: number, headers?: Record<string, string>): void;
  fail(kind: ExchangeFailed['kind'], unsent?: boolean): void;
}

export interface Exchanges {
  readonly http: SessionClient;
  /** Those that wait, in the order they were sent. */
  readonly waiting: Exchange[];
  /** The bodies of all requests so far. */
  readonly bodies: string[];
}

/** Requests wait until they are answered; `onRequest` answers each at once. */
export function exchanges(onRequest: (exchange: Exchange) => void = () => {}): Exchanges {
  const waiting: Exchange[] = [];
  const bodies: string[] = [];

  function send<A>(request: HttpRequest, signal: AbortSignal): Promise<A> {
    const { promise, resolve, reject } = Promise.withResolvers<HttpAnswer | StreamedAnswer>();
    const settle = () => waiting.splice(waiting.indexOf(exchange), 1);
    const exchange: Exchange = {
      request,
      answer(status, body = '', headers = {}) {
        settle();
        resolve({ status, headers, body: Buffer.from(body) });
      },
      stream(body, status = 200, headers = {}) {
        settle();
        resolve({ status, headers, body });
      },
      fail(kind, unsent = false) {
        settle();
        reject(new ExchangeFailed(kind, unsent));
      },
    };
    signal.addEventListener('abort', () => waiting.includes(exchange) && exchange.fail('aborted'));
    waiting.push(exchange);
    bodies.push(String(request.body ?? ''));
    onRequest(exchange);
    return promise as Promise<A>;
  }

  const http = {
    exchange: (request: HttpRequest, { signal }: { signal: AbortSignal }) =>
      send<HttpAnswer>(request, signal),
    stream: (request: HttpRequest, { signal }: { signal: AbortSignal }) =>
      send<StreamedAnswer>(request, signal),
  };
  return { http, waiting, bodies };
}

/** A body of these pieces, then its end; with `failure`, cut instead. */
export async function* pieces(
  texts: readonly string[],
  failure?: ExchangeFailed['kind'],
): AsyncGenerator<Buffer> {
  for (const text of texts) yield Buffer.from(text);
  if (failure) throw new ExchangeFailed(failure, false);
}
