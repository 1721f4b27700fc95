import type { PollConfig } from '../../config/poll.ts';
import type { RouteConfig } from '../../config/schema.ts';
import { GatewayError, UpstreamAnswered } from '../../errors.ts';
import { ExchangeFailed, type HttpAnswer, type HttpClient, type HttpTarget } from '../../upstream/client.ts';
import type { AdmittedRequest } from '../../upstream/forward.ts';
import type { Bridge, Dial } from '../contract.ts';
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
  /** The connections to the route's targets; who opened them closes them. */
  readonly http: HttpClient;
  readonly clock?: Clock;
}

/** A session the service has agreed to. */
interface Opened {
  readonly target: string;
  readonly exchange: SessionClient;
  readonly profile: Profile;
  readonly protocol: string | undefined;
}

/**
 * The poll bridge of a route: an HTTP service behind a WebSocket. Each session is given one target, round robin, and
 * keeps it. With `open` in the configuration the service is asked before the 101, and the next target is tried when
 * one cannot be reached. The dial rejects with UpstreamAnswered (the service refused), UPSTREAM_REFUSED,
 * UPSTREAM_TIMEOUT, UPSTREAM_LOST, UPSTREAM_INVALID, or, when none of several targets can be reached,
 * NO_HEALTHY_UPSTREAM.
 */
export function createPollDial(route: RouteConfig, { http, clock = systemClock }: PollDeps): Dial {
  const config = route.upstream.poll as PollConfig;
  const identity = route.auth === 'none' ? [] : Object.keys(route.auth.forward);
  const sessionHeaders = compileHeaders(config.headers, identity);
  const createProfile = compileGeneric(config);
  let turn = 0;

  /** All targets, beginning with the one whose turn it is. */
  function targetsInTurn(): HttpTarget[] {
    const first = turn++ % http.targets.length;
    return [...http.targets.slice(first), ...http.targets.slice(0, first)];
  }

  async function openOn(target: HttpTarget, request: AdmittedRequest, signal: AbortSignal): Promise<Opened> {
    const exchange = createSessionClient(target, sessionHeaders(request));
    const profile = createProfile(request);
    const opening = profile.open();
    if (opening === undefined) return { target: target.url, exchange, profile, protocol: undefined };
    const limits = { signal, timeoutMs: route.timeouts.handshake, bodySize: profile.answerSize };
    const answer = await exchange(opening, limits);
    if (answer.status < 200 || answer.status > 299) throw relayed(answer);
    return { target: target.url, exchange, profile, protocol: profile.opened(answer) };
  }

  return async function dial(request, signal) {
    const opened = await firstReachable(targetsInTurn(), (target) => openOn(target, request, signal));
    const { target, exchange, profile, protocol } = opened;
    const bridge: Bridge = {
      target,
      accept: { protocol },
      run(client, head, session) {
        const { queueSize, outage: outageMs } = config;
        return runPoll(
          { exchange, profile, connection: request.id, queueSize, outageMs, clock },
          client,
          head,
          session,
        );
      },
      abandon() {
        if (profile.open()) void closeSession(exchange, profile, route.timeouts.close);
      },
    };
    return bridge;
  };
}

/** The first target on which `open` works. Only where not a byte was sent is the next one tried. */
async function firstReachable(
  targets: readonly HttpTarget[],
  open: (target: HttpTarget) => Promise<Opened>,
): Promise<Opened> {
  const failures: ExchangeFailed[] = [];
  for (const target of targets) {
    try {
      return await open(target);
    } catch (error) {
      if (!(error instanceof ExchangeFailed)) throw error;
      if (!error.unsent || error.kind === 'aborted') throw failureOf(error);
      failures.push(error);
    }
  }
  if (failures.length === 1) throw failureOf(failures[0] as ExchangeFailed);
  throw new GatewayError('NO_HEALTHY_UPSTREAM', { cause: new AggregateError(failures) });
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
