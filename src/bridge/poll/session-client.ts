import { withQuery } from '../../http/query.ts';
import type { ExchangeLimits, HttpAnswer, HttpRequest, HttpTarget } from '../../upstream/client.ts';
import { NO_PROOF, type ProofSource } from '../../upstream/credentials.ts';
import type { StreamedAnswer, StreamLimits } from '../../upstream/streamed-answer.ts';
import { createCookieJar } from './cookies.ts';

/** The requests of one session to its service. */
export interface SessionClient {
  /** Rejects with ExchangeFailed. */
  exchange(request: HttpRequest, limits: ExchangeLimits): Promise<HttpAnswer>;
  /** As HttpTarget’s. `collect` reads the body of one that is a refusal. Rejects with ExchangeFailed. */
  stream(request: HttpRequest, limits: StreamLimits): Promise<StreamedAnswer>;
}

/**
 * Pins a session to one target: adds what all its requests say and what the gateway proves itself with in that moment, and
 * keeps the cookies the target sets.
 */
export function createSessionClient(
  target: HttpTarget,
  headers: Readonly<Record<string, string>>,
  proof?: ProofSource,
): SessionClient {
  const jar = createCookieJar();

  function completed(request: HttpRequest): HttpRequest {
    const { fields, query } = proof?.() ?? NO_PROOF;
    const all: Record<string, string> = { ...headers, ...Object.fromEntries(fields), ...request.headers };
    const cookie = jar.header(all.cookie);
    if (cookie !== undefined) all.cookie = cookie;
    return { ...request, path: withQuery(request.path, query), headers: all };
  }

  return {
    async exchange(request, limits) {
      const answer = await target.exchange(completed(request), limits);
      jar.store(answer.headers);
      return answer;
    },
    async stream(request, limits) {
      const answer = await target.stream(completed(request), limits);
      jar.store(answer.headers);
      return answer;
    },
  };
}
