import type { ExchangeLimits, HttpAnswer, HttpRequest, HttpTarget } from '../../upstream/client.ts';
import { createCookieJar } from './cookies.ts';

/** Exchanges one request of a session with its service. Rejects with ExchangeFailed. */
export type SessionClient = (request: HttpRequest, limits: ExchangeLimits) => Promise<HttpAnswer>;

/** Pins a session to one target: adds what all its requests say, and keeps the cookies the target sets. */
export function createSessionClient(
  target: HttpTarget,
  headers: Readonly<Record<string, string>>,
): SessionClient {
  const jar = createCookieJar();
  return async function exchange(request, limits) {
    const all: Record<string, string> = { ...headers, ...request.headers };
    const cookie = jar.header(headers.cookie);
    if (cookie !== undefined) all.cookie = cookie;
    const answer = await target.exchange({ ...request, headers: all }, limits);
    jar.store(answer.headers);
    return answer;
  };
}
