import { withQuery } from '../../http/query.ts';
import type { ExchangeLimits, HttpAnswer, HttpRequest, HttpTarget } from '../../upstream/client.ts';
import { NO_PROOF, type ProofSource } from '../../upstream/credentials.ts';
import type { AnswerHead, StreamedAnswer, StreamLimits } from '../../upstream/streamed-answer.ts';
import { CookieJar } from './cookies.ts';

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
export class PinnedClient implements SessionClient {
  readonly #target: HttpTarget;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #proof: ProofSource | undefined;
  /** Most services set none. */
  #jar: CookieJar | undefined;

  constructor(target: HttpTarget, headers: Readonly<Record<string, string>>, proof?: ProofSource) {
    this.#target = target;
    this.#headers = headers;
    this.#proof = proof;
  }

  exchange(request: HttpRequest, limits: ExchangeLimits): Promise<HttpAnswer> {
    return this.#target.exchange(this.#completed(request), limits).then(this.#keepCookies);
  }

  stream(request: HttpRequest, limits: StreamLimits): Promise<StreamedAnswer> {
    return this.#target.stream(this.#completed(request), limits).then(this.#keepCookies);
  }

  #completed(request: HttpRequest): HttpRequest {
    const { fields, query } = this.#proof?.() ?? NO_PROOF;
    const all: Record<string, string> = {
      ...this.#headers,
      ...Object.fromEntries(fields),
      ...request.headers,
    };
    const cookie = this.#jar?.header(all.cookie);
    if (cookie !== undefined) all.cookie = cookie;
    return { ...request, path: withQuery(request.path, query), headers: all };
  }

  // Made once, and nothing is awaited: an async function would keep its request and a frame for as long as a poll is held.
  readonly #keepCookies = <Answer extends AnswerHead>(answer: Answer): Answer => {
    if (answer.headers['set-cookie'] !== undefined) {
      this.#jar ??= new CookieJar();
      this.#jar.store(answer.headers);
    }
    return answer;
  };
}
