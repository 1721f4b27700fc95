import { type PollConfig, sessionConfigOf } from '../../config/poll/index.ts';
import type { RouteConfig } from '../../config/schema.ts';
import { asGatewayError, GatewayError } from '../../errors.ts';
import { RelayedAnswer } from '../../http/relayed-answer.ts';
import { createPolicy } from '../../upstream/balance/index.ts';
import type { Policy } from '../../upstream/balance/policy.ts';
import { ExchangeFailed, type HttpAnswer, type HttpTarget } from '../../upstream/client.ts';
import type { AdmittedRequest } from '../../upstream/forward.ts';
import type { Connected, HttpPool } from '../../upstream/http-pool.ts';
import type { Lease } from '../../upstream/lease.ts';
import { systemClock } from './backoff.ts';
import type { SessionConcealment } from './concealment.ts';
import { compileHeaders } from './headers.ts';
import type { Opening, Profile, ProfileFactory } from './profile.ts';
import { compileProfile } from './profiles.ts';
import { PinnedClient, type SessionClient } from './session-client.ts';
import { isSuccess } from './verdict.ts';

/** Header fields of a refused `open` that the client may see. */
const RELAYED = ['content-type', 'retry-after', 'www-authenticate', 'cache-control'];
const RELAYED_BODY_SIZE = 64 * 1024;

/** A session the service has agreed to. */
export interface Opened {
  readonly lease: Lease;
  readonly http: SessionClient;
  readonly profile: Profile;
  readonly opening: Opening;
  /** The service was asked, and knows of the session. */
  readonly isAsked: boolean;
}

export interface OpenerParts {
  readonly http: HttpPool<HttpTarget>;
  readonly concealment?: SessionConcealment | undefined;
  /** A service may have opened a session that nobody waits for any more; whoever hears it releases the lease. */
  readonly onUnanswered: (opened: Opened) => void;
}

/** Opens the sessions of one route: finds each an endpoint and, with `open` in the configuration, asks the service. */
export class SessionOpener {
  readonly #route: RouteConfig;
  readonly #http: HttpPool<HttpTarget>;
  readonly #concealment: SessionConcealment | undefined;
  readonly #policy: Policy;
  readonly #headersOf: ReturnType<typeof compileHeaders>;
  readonly #profiles: ProfileFactory;
  readonly #onUnanswered: (opened: Opened) => void;

  constructor(route: RouteConfig, { http, concealment, onUnanswered }: OpenerParts) {
    const config = sessionConfigOf(route.upstream) as PollConfig;
    const { host, headers } = route.upstream;
    const identity = route.auth === 'none' ? [] : Object.keys(route.auth.forward);
    const own = [...identity, ...Object.keys(headers?.set ?? {})];
    this.#route = route;
    this.#http = http;
    this.#concealment = concealment;
    this.#policy = createPolicy(route.upstream.balance ?? 'least-connections');
    this.#headersOf = compileHeaders({ ...config.headers, own, host });
    this.#profiles = compileProfile(config);
    this.#onUnanswered = onUnanswered;
  }

  /**
   * A kept connection may be closed in the moment it is to be used; where nothing was sent, a new one is as good as
   * the first. Whoever gets the session releases its lease. Rejects as the bridge's dial does.
   */
  async open(request: AdmittedRequest, signal: AbortSignal): Promise<Opened> {
    // Without `open` a session may begin during an outage, and waits for its end.
    if (!this.#profiles.opens)
      return this.#openOn(await this.#http.place(this.#policy, request, signal), request, signal);
    const again = async () => this.#openOn(await this.#connect(request, signal, true), request, signal);
    return this.#openOn(await this.#connect(request, signal, false), request, signal, again);
  }

  async #connect(
    request: AdmittedRequest,
    signal: AbortSignal,
    isFresh: boolean,
  ): Promise<Connected<HttpTarget>> {
    return await this.#http.connect(this.#policy, request, () => signal, isFresh);
  }

  /** `again`, where it is given, is tried once nothing of the request has left. */
  async #openOn(
    { client, lease }: Connected<HttpTarget>,
    request: AdmittedRequest,
    signal: AbortSignal,
    again?: () => Promise<Opened>,
  ): Promise<Opened> {
    const http = new PinnedClient(client, this.#headersOf(request), request.proof);
    const profile = this.#profiles.create(request);
    try {
      const opening = await this.#ask(http, profile, signal);
      return { lease, http, profile, opening: opening ?? {}, isAsked: opening !== undefined };
    } catch (thrown) {
      const error = failureOf(thrown);
      error.dials = [{ target: lease.endpoint.name, error }];
      if (isToBlame(thrown)) lease.failed(error.code);
      if (profile.isNamed && mayHaveOpened(thrown, signal))
        this.#onUnanswered({ lease, http, profile, opening: {}, isAsked: true });
      else this.#http.release(lease);
      if (again && isUnsent(thrown)) return again();
      throw error;
    }
  }

  async #ask(http: SessionClient, profile: Profile, signal: AbortSignal): Promise<Opening | undefined> {
    for (;;) {
      const opening = profile.open();
      if (opening === undefined) return undefined;
      const timeoutMs = this.#route.timeouts.handshake;
      const answer = await http.exchange(opening, { signal, timeoutMs, bodySize: profile.answerSize });
      if (!isSuccess(answer.status)) throw relayed(answer, this.#concealment);
      const opened = profile.opened(answer);
      if (opened.refusal !== undefined) throw relayed(opened.refusal, this.#concealment);
      if (opened.againMs === undefined) return opened;
      await pause(opened.againMs, signal);
    }
  }
}

/** Rejects with UPSTREAM_TIMEOUT when the signal aborts. */
async function pause(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await systemClock.sleep(ms, signal);
  } catch {
    throw new GatewayError('UPSTREAM_TIMEOUT', { detail: 'it has not decided whether it opens the session' });
  }
}

/** The service was asked, and has not said no. */
function mayHaveOpened(thrown: unknown, signal: AbortSignal): boolean {
  return thrown instanceof ExchangeFailed ? !thrown.unsent : signal.aborted;
}

/** Nothing of the request has left, and somebody still waits for it. */
function isUnsent(thrown: unknown): boolean {
  return thrown instanceof ExchangeFailed && thrown.unsent && thrown.kind !== 'aborted';
}

/** The service did not answer `open`, or not to the end. */
function isToBlame(thrown: unknown): boolean {
  return thrown instanceof ExchangeFailed && (thrown.kind === 'timeout' || thrown.kind === 'broken');
}

const CODES = {
  unreachable: 'UPSTREAM_REFUSED',
  timeout: 'UPSTREAM_TIMEOUT',
  aborted: 'UPSTREAM_TIMEOUT',
  broken: 'UPSTREAM_LOST',
  'too big': 'UPSTREAM_INVALID',
  undecodable: 'UPSTREAM_INVALID',
} as const;

function failureOf(thrown: unknown): GatewayError {
  if (!(thrown instanceof ExchangeFailed)) return asGatewayError(thrown);
  if (thrown.cause instanceof GatewayError) return thrown.cause;
  return new GatewayError(CODES[thrown.kind], { cause: thrown });
}

/** The service's own refusal, as the answer to the upgrade. */
function relayed({ status, headers, body }: HttpAnswer, concealment?: SessionConcealment): RelayedAnswer {
  const kept = RELAYED.flatMap((name) => {
    const value = headers[name];
    return typeof value === 'string' && !concealment?.isIn(value) ? [[name, value] as const] : [];
  });
  const cut = body.subarray(0, RELAYED_BODY_SIZE);
  return new RelayedAnswer({ status, headers: kept, body: concealment?.body(cut, headers) ?? cut });
}
