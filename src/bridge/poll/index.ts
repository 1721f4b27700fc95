import type { PollConfig } from '../../config/poll.ts';
import type { RouteConfig } from '../../config/schema.ts';
import { asGatewayError, GatewayError, UpstreamAnswered } from '../../errors.ts';
import { createPolicy } from '../../upstream/balance/index.ts';
import { ExchangeFailed, type HttpAnswer, type HttpTarget } from '../../upstream/client.ts';
import type { AdmittedRequest } from '../../upstream/forward.ts';
import type { Connected, HttpPool } from '../../upstream/http-pool.ts';
import type { Lease } from '../../upstream/lease.ts';
import type { Dial } from '../contract.ts';
import { type Clock, systemClock } from './backoff.ts';
import { runPoll } from './engine.ts';
import { compileGeneric } from './generic.ts';
import { compileHeaders } from './headers.ts';
import type { Profile } from './profile.ts';
import { closeSession } from './service.ts';
import { createSessionClient, type SessionClient } from './session-client.ts';

/** Header fields of a refused `open` that the client may see. */
const RELAYED = ['content-type', 'retry-after', 'www-authenticate', 'cache-control'];
const RELAYED_BODY_SIZE = 64 * 1024;

export interface PollDeps {
  /** The clients of the route's targets; who opened them closes them. */
  readonly http: HttpPool<HttpTarget>;
  readonly clock?: Clock;
}

/** A session the service has agreed to. */
interface Opened {
  readonly lease: Lease;
  readonly exchange: SessionClient;
  readonly profile: Profile;
  readonly protocol: string | undefined;
}

/**
 * The poll bridge of a route: an HTTP service behind a WebSocket. Each session is given one endpoint and keeps it.
 * With `open` in the configuration the service is asked before the 101. The dial rejects as `dial` of the upstreams
 * does, and with UpstreamAnswered (the service refused), UPSTREAM_TIMEOUT, UPSTREAM_LOST or UPSTREAM_INVALID.
 */
export function createPollDial(route: RouteConfig, { http, clock = systemClock }: PollDeps): Dial {
  const config = route.upstream.poll as PollConfig;
  const identity = route.auth === 'none' ? [] : Object.keys(route.auth.forward);
  const policy = createPolicy(route.upstream.balance ?? 'least-connections');
  const sessionHeaders = compileHeaders(config.headers, identity);
  const createProfile = compileGeneric(config);

  async function openOn(
    { client, lease }: Connected<HttpTarget>,
    request: AdmittedRequest,
    signal: AbortSignal,
  ): Promise<Opened> {
    const exchange = createSessionClient(client, sessionHeaders(request));
    const profile = createProfile(request);
    const opening = profile.open();
    if (opening === undefined) return { lease, exchange, profile, protocol: undefined };
    try {
      const limits = { signal, timeoutMs: route.timeouts.handshake, bodySize: profile.answerSize };
      const answer = await exchange(opening, limits);
      if (answer.status < 200 || answer.status > 299) throw relayed(answer);
      return { lease, exchange, profile, protocol: profile.opened(answer) };
    } catch (thrown) {
      const error = thrown instanceof ExchangeFailed ? failureOf(thrown) : asGatewayError(thrown);
      error.dials = [{ target: lease.endpoint.name, error }];
      if (isToBlame(thrown)) lease.failed(error.code);
      http.release(lease);
      throw thrown instanceof ExchangeFailed && thrown.unsent ? thrown : error;
    }
  }

  /**
   * A kept connection may be closed in the moment it is to be used; where nothing was sent, a new one is as good as
   * the first.
   */
  async function openSession(request: AdmittedRequest, signal: AbortSignal): Promise<Opened> {
    const limit = () => signal;
    // Without `open` a session may begin during an outage, and waits for its end.
    if (config.open === undefined) return openOn(await http.place(policy, request, signal), request, signal);
    try {
      return await openOn(await http.connect(policy, request, limit), request, signal);
    } catch (error) {
      if (!(error instanceof ExchangeFailed) || error.kind === 'aborted') throw error;
      return openOn(await http.connect(policy, request, limit, true), request, signal);
    }
  }

  return async function dialPoll(request, signal) {
    const { lease, exchange, profile, protocol } = await openSession(request, signal);
    const release = () => http.release(lease);
    return {
      target: lease.endpoint.name,
      accept: { protocol },
      run(client, head, session) {
        const { queueSize, outage: outageMs } = config;
        const done = runPoll(
          { exchange, profile, connection: request.id, queueSize, outageMs, clock },
          client,
          head,
          session,
        );
        void done.then(release, release);
        return done;
      },
      abandon() {
        if (profile.open()) void closeSession(exchange, profile, route.timeouts.close).finally(release);
        else release();
      },
    };
  };
}

/** The service did not answer `open`, or not to the end. */
function isToBlame(thrown: unknown): boolean {
  return thrown instanceof ExchangeFailed && (thrown.kind === 'timeout' || thrown.kind === 'broken');
}

function failureOf(failure: ExchangeFailed): GatewayError {
  if (failure.cause instanceof GatewayError) return failure.cause;
  const code = (
    {
      unreachable: 'UPSTREAM_REFUSED',
      timeout: 'UPSTREAM_TIMEOUT',
      aborted: 'UPSTREAM_TIMEOUT',
      broken: 'UPSTREAM_LOST',
      'too big': 'UPSTREAM_INVALID',
    } as const
  )[failure.kind];
  return new GatewayError(code, { cause: failure });
}

/** The service's own refusal, as the answer to the upgrade. */
function relayed({ status, headers, body }: HttpAnswer): UpstreamAnswered {
  const kept = RELAYED.flatMap((name) => {
    const value = headers[name];
    return typeof value === 'string' ? [[name, value] as const] : [];
  });
  return new UpstreamAnswered({ status, headers: kept, body: body.subarray(0, RELAYED_BODY_SIZE) });
}
